import { describe, expect, it } from 'vitest';
import { argmax, max, mean, sum, tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, leaf, type Values, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

/** The elements that fall together when `axes` go, in row-major order of what is kept. */
function groups({ shape, data }: Values, axes: number[]): number[][] {
  const found = new Map<string, number[]>();
  data.forEach((value, index) => {
    const position: number[] = [];
    for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
      position.unshift(rest % shape[axis]);
      rest = Math.floor(rest / shape[axis]);
    }
    const key = position.filter((_, axis) => !axes.includes(axis)).join();
    if (!found.has(key)) found.set(key, []);
    found.get(key)!.push(value);
  });
  return [...found.values()];
}

const CASES: [shape: number[], axis: number | number[] | undefined, axes: number[]][] = [
  [[2, 3, 4], undefined, [0, 1, 2]],
  [[2, 3, 4], 0, [0]],
  [[2, 3, 4], 1, [1]],
  [[2, 3, 4], -1, [2]],
  [
    [2, 3, 4],
    [0, 2],
    [0, 2],
  ],
  [
    [2, 3, 4],
    [-1, 0],
    [0, 2],
  ],
  [
    [2, 3, 4],
    [1, 2],
    [1, 2],
  ],
  [[2, 3], [], []],
  [[1], 0, [0]],
  [[3, 1, 2], 1, [1]],
  [[], undefined, []],
];

const total = (group: number[]) => group.reduce((result, value) => result + value, 0);

describe('sum and mean', () => {
  it.each(CASES)('of %j over %j', async (shape, axis, axes) => {
    const x = values(shape);
    const [sums, means] = scope(() => {
      const kept = sum(leaf(x), axis, { keepDims: true });
      expect(kept.shape).toEqual(shape.map((count, i) => (axes.includes(i) ? 1 : count)));
      const y = sum(leaf(x), axis);
      expect(y.shape).toEqual(shape.filter((_, i) => !axes.includes(i)));
      return [y.data(), mean(leaf(x), axis, { keepDims: true }).data()];
    });
    const expected = groups(x, axes);
    expectClose(await sums, expected.map(total), 'sum', 'float64');
    expectClose(
      await means,
      expected.map((group) => total(group) / group.length),
      'sum',
      'float64',
    );
    await gradcheck((t) => [sum(t, axis), sum(t, axis, { keepDims: true }), mean(t, axis)], x);
  });

  it('sums nothing to 0 and has no mean of it', async () => {
    const [zero, rows, none] = scope(() => {
      const x = tensor([], { shape: [2, 0] });
      return [sum(x).data(), sum(x, 1).data(), mean(x).data()];
    });
    expect(await zero).toEqual(Float32Array.of(0));
    expect(await rows).toEqual(Float32Array.of(0, 0));
    expect(await none).toEqual(Float32Array.of(NaN));
  });

  it('adds integers exactly and large float32 sums accurately', async () => {
    const [integers, floats] = scope(() => [
      sum(tensor(Int32Array.of(2 ** 30, 2 ** 29, -5))).item(),
      sum(tensor(new Float32Array(1_000_000).fill(0.1))).item(),
    ]);
    expect(await integers).toBe(2 ** 30 + 2 ** 29 - 5);
    expectClose(await floats, 1_000_000 * Math.fround(0.1), 'sum');
  });

  it('rejects axes that are not there', () => {
    scope(() => {
      const x = tensor([[1]]);
      expect(() => sum(x, 2)).toThrow('Expected an integer from -2 to 1 for axis but received 2');
      expect(() => sum(x, [0, -2])).toThrow('Expected different axes for axis but received [0, -2]');
      expect(() => sum(x, 0, { keepdims: true } as never)).toThrow("(did you mean 'keepDims'?)");
      expect(() => mean(tensor(Int32Array.of(1)))).toThrow('Expected a float32 or float64 tensor');
    });
  });
});

describe('max and argmax', () => {
  it.each(CASES.filter(([, axis]) => !Array.isArray(axis)))('of %j over %j', async (shape, axis, axes) => {
    const x = values(shape);
    const [largest, positions] = scope(() => {
      const where = argmax(leaf(x), axis as number, { keepDims: true });
      expect([where.dtype, where.shape]).toEqual(['int32', shape.map((count, i) => (axes.includes(i) ? 1 : count))]);
      return [max(leaf(x), axis as number).data(), where.data()];
    });
    const expected = groups(x, axes);
    expect(Array.from(await largest)).toEqual(expected.map((group) => Math.max(...group)));
    expect(Array.from(await positions)).toEqual(expected.map((group) => group.indexOf(Math.max(...group))));
    await gradcheck((t) => [max(t, axis as number), max(t, axis as number, { keepDims: true })], x);
  });

  it('takes the first of equals, for the gradient too', async () => {
    const [position, grad] = scope(() => {
      const x = tensor(
        [
          [1, 3, 3],
          [2, 2, 2],
        ],
        { requiresGrad: true },
      );
      backward(max(x, 1).sum());
      return [argmax(x, 1).data(), (x.grad as Tensor).array()];
    });
    expect(await position).toEqual(Int32Array.of(1, 0));
    expect(await grad).toEqual([
      [0, 1, 0],
      [1, 0, 0],
    ]);
  });

  it('gives NaN where there is one', async () => {
    expect(
      await scope(() =>
        max(
          tensor([
            [1, NaN, 2],
            [1, 2, 3],
          ]),
          1,
        ).data(),
      ),
    ).toEqual(Float32Array.of(NaN, 3));
  });

  it('rejects empty tensors', () => {
    scope(() => {
      expect(() => max(tensor([]))).toThrow('Expected at least one element for x but received [0]');
    });
  });
});
