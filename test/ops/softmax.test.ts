import { describe, expect, it } from 'vitest';
import { logSoftmax, max, softmax, tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, leaf, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

/** The same from primitives. */
const TWINS = {
  softmax: (x: Tensor, axis: number) => {
    const e = x.sub(max(x, axis, { keepDims: true }).detach()).exp();
    return e.div(e.sum(axis, { keepDims: true }));
  },
  logSoftmax: (x: Tensor, axis: number) => {
    const shifted = x.sub(max(x, axis, { keepDims: true }).detach());
    return shifted.sub(shifted.exp().sum(axis, { keepDims: true }).log());
  },
};

const CASES: [shape: number[], axis: number][] = [
  [[4, 7], -1],
  [[4, 7], 0],
  [[2, 3, 5], 1],
  [[3], 0],
  [[2, 1], 1],
  [[3, 33], 1],
];

describe.each([['softmax', softmax] as const, ['logSoftmax', logSoftmax] as const])('%s', (name, operation) => {
  it.each(CASES)('equals its twin for %j along %d, gradients included', async (shape, axis) => {
    const run = (compute: (x: Tensor, axis: number) => Tensor) =>
      scope(() => {
        const x = leaf(values(shape, { low: -5, high: 5 }));
        const y = compute(x, axis);
        backward(y.mul(leaf(values(shape, { seed: 9 }), false)).sum());
        return [y.data(), (x.grad as Tensor).data()];
      });
    const [fused, twin] = [run(operation), run(TWINS[name])];
    expectClose(await fused[0], await twin[0], 'sum', 'float64');
    expectClose(await fused[1], await twin[1], 'product', 'float64');
    await gradcheck((x) => operation(x, axis), values(shape));
  });

  it('survives large values', async () => {
    const result = scope(() => operation(tensor([1000, 1000, -1000])).data());
    const half = name === 'softmax' ? 0.5 : -Math.log(2);
    expectClose(await result, [half, half, name === 'softmax' ? 0 : -2000 - Math.log(2)], 'elementwise');
  });

  it('rejects axes that are not there', () => {
    scope(() => {
      expect(() => operation(tensor([1]), 1)).toThrow('Expected an integer from -1 to 0 for axis but received 1');
      expect(() => operation(tensor(1))).toThrow('for axis but received -1');
    });
  });
});
