import { describe, expect, it } from 'vitest';
import {
  abs,
  exp,
  log,
  neg,
  reciprocal,
  relu,
  sigmoid,
  sign,
  sqrt,
  square,
  tanh,
  tensor,
} from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

type Row = [
  name: string,
  operation: (x: Tensor) => Tensor,
  reference: (x: number) => number,
  low: number,
  high: number,
];

const ROWS: Row[] = [
  ['neg', neg, (x) => -x, -2, 2],
  ['abs', abs, Math.abs, -2, 2],
  ['exp', exp, Math.exp, -5, 5],
  ['log', log, Math.log, 0.1, 9],
  ['sqrt', sqrt, Math.sqrt, 0.1, 9],
  ['square', square, (x) => x * x, -3, 3],
  ['reciprocal', reciprocal, (x) => 1 / x, 0.2, 4],
  ['sigmoid', sigmoid, (x) => 1 / (1 + Math.exp(-x)), -6, 6],
  ['tanh', tanh, Math.tanh, -4, 4],
  ['relu', relu, (x) => Math.max(x, 0), -2, 2],
];

describe.each(ROWS)('%s', (_, operation, reference, low, high) => {
  it('computes its function in both float types', async () => {
    const { data } = values([37], { low, high });
    const [double, single] = scope(() => [
      operation(tensor(data)).data(),
      operation(tensor(new Float32Array(data))).data(),
    ]);
    expectClose(await double, Array.from(data, reference), 'elementwise', 'float64');
    expectClose(await single, Array.from(new Float32Array(data), reference), 'elementwise', 'float32');
  });

  it.each([[[4, 5]], [[1]], [[]], [[2, 1, 3]]])('has the gradient for %j', async (shape) => {
    await gradcheck(operation, values(shape, { low, high, seed: 5 }));
  });

  it('keeps NaN and the shape, empty ones too', async () => {
    const [nan, empty] = scope(() => {
      const none = operation(tensor([], { shape: [0, 3] }));
      expect(none.shape).toEqual([0, 3]);
      return [operation(tensor([NaN])).data(), none.data()];
    });
    expect(await nan).toEqual(Float32Array.of(NaN));
    expect(await empty).toEqual(new Float32Array(0));
  });
});

describe('at the edges', () => {
  it('saturates instead of overflowing', async () => {
    const [squashed, hyperbolic] = scope(() => {
      const x = tensor([-1000, 1000, -Infinity, Infinity]);
      return [sigmoid(x).data(), tanh(x).data()];
    });
    expect(await squashed).toEqual(Float32Array.of(0, 1, 0, 1));
    expect(await hyperbolic).toEqual(Float32Array.of(-1, 1, -1, 1));
  });

  it('takes slope 0 for abs and relu at 0', async () => {
    const grads = scope(() => {
      const [x, z] = [tensor([0], { requiresGrad: true }), tensor([0], { requiresGrad: true })];
      backward(abs(x).sum());
      backward(relu(z).sum());
      return [x, z].map((leaf) => (leaf.grad as Tensor).item());
    });
    expect(await Promise.all(grads)).toEqual([0, 0]);
  });

  it('gives the sign without a gradient', async () => {
    const signs = scope(() => {
      const y = sign(tensor([-2, 0, 3], { requiresGrad: true }));
      expect(y.requiresGrad).toBe(false);
      return y.data();
    });
    expect(await signs).toEqual(Float32Array.of(-1, 0, 1));
  });

  it('negates integers, and rejects them where floats are needed', async () => {
    const result = scope(() => {
      const x = tensor(Int32Array.of(-2, 3));
      expect(() => exp(x)).toThrow('Expected a float32 or float64 tensor (use cast) for x but received "int32"');
      return neg(x).data();
    });
    expect(await result).toEqual(Int32Array.of(2, -3));
  });
});
