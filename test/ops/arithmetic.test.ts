import { describe, expect, it } from 'vitest';
import { add, clamp, div, maximum, minimum, mul, pow, sub, tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const cpu = expectNoLeaks();

const OPERATIONS = {
  add: [add, (a: number, b: number) => a + b],
  sub: [sub, (a: number, b: number) => a - b],
  mul: [mul, (a: number, b: number) => a * b],
  div: [div, (a: number, b: number) => a / b],
  pow: [pow, (a: number, b: number) => a ** b],
  maximum: [maximum, Math.max],
  minimum: [minimum, Math.min],
} as const;

const SHAPES: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [2, 1],
    [1, 3],
  ],
  [[], [2, 2]],
  [[2, 3], []],
  [[], []],
  [
    [3, 1, 2],
    [4, 1],
  ],
  [[1], [1, 1, 1]],
  [
    [2, 1, 3],
    [2, 2, 1],
  ],
];

describe.each(Object.entries(OPERATIONS))('%s', (_, [operation, reference]) => {
  it.each(SHAPES)('broadcasts %j with %j', async (shapeA, shapeB) => {
    const a = values(shapeA, { seed: 1, low: 0.5, high: 3 });
    const b = values(shapeB, { seed: 2, low: 0.5, high: 3 });
    const result = scope(() => operation(leafOf(a), leafOf(b)).data());
    const rank = Math.max(shapeA.length, shapeB.length);
    const shape = Array.from({ length: rank }, (_, i) =>
      Math.max(shapeA[i - rank + shapeA.length] ?? 1, shapeB[i - rank + shapeB.length] ?? 1),
    );
    const expected = positions(shape).map((position) => reference(pick(a, position), pick(b, position)));
    expectClose(await result, expected, 'elementwise', 'float64');
  });

  it.each(SHAPES)('has the gradient of %j with %j', async (shapeA, shapeB) => {
    const a = values(shapeA, { seed: 3, low: 0.5, high: 3 });
    const b = values(shapeB, { seed: 4, low: 0.5, high: 3 });
    await gradcheck(operation, a, b);
  });

  it('takes a number on either side', async () => {
    const data = [0.5, 1.5, 2.5];
    const [right, left] = scope(() => {
      const x = tensor(Float64Array.from(data));
      return [operation(x, 1.25).data(), operation(1.25, x).data()];
    });
    expectClose(
      await right,
      data.map((value) => reference(value, 1.25)),
      'elementwise',
      'float64',
    );
    expectClose(
      await left,
      data.map((value) => reference(1.25, value)),
      'elementwise',
      'float64',
    );
    await gradcheck((x) => [operation(x, 1.25), operation(1.25, x)], values([3], { low: 0.5, high: 3 }));
  });

  it('rejects operands that do not go together', () => {
    scope(() => {
      const x = tensor([1, 2, 3]);
      expect(() => operation(x, tensor([1, 2]))).toThrow(
        'Expected a shape that broadcasts with [3] for b but received [2]',
      );
      expect(() => operation(x, tensor([1], { dtype: 'float64' }))).toThrow(
        'Expected a tensor of float32 (use cast) for b but received "float64"',
      );
      expect(() => operation(x, 'no' as never)).toThrow('Expected a tensor for b but received "no"');
      expect(() => operation(undefined as never, x)).toThrow('Expected a tensor for a but received undefined');
    });
  });
});

describe('int32', () => {
  it('adds, subtracts and multiplies, and rejects what needs floats', async () => {
    const result = scope(() => {
      const x = tensor([3, -4], { dtype: 'int32' });
      expect(() => add(x, 0.5)).toThrow('Expected an integer from -2147483648 to 2147483647 for b but received 0.5');
      expect(() => div(x, 2)).toThrow('Expected a float32 or float64 tensor (use cast) for a but received "int32"');
      expect(() => pow(x, 2)).toThrow('float32 or float64');
      return add(mul(sub(x, 1), 2), tensor([10], { dtype: 'int32' })).data();
    });
    expect(await result).toEqual(Int32Array.of(14, 0));
  });
});

describe('pow', () => {
  it('has finite gradients at zero', async () => {
    const [byNumber, base, exponent] = scope(() => {
      const x = tensor([0, 2], { requiresGrad: true });
      const a = tensor([0, 0, 2], { requiresGrad: true });
      const b = tensor([0, 2, 0], { requiresGrad: true });
      backward(pow(x, 0).sum());
      backward(pow(a, b).sum());
      return [x, a, b].map((leaf) => (leaf.grad as Tensor).data());
    });
    expect(await byNumber).toEqual(Float32Array.of(0, 0));
    expect(await base).toEqual(Float32Array.of(0, 0, 0));
    expectClose(await exponent, [0, 0, Math.log(2)], 'elementwise');
  });
});

describe('maximum and minimum', () => {
  it('share the gradient between equals and keep NaN', async () => {
    const [grads, nan] = scope(() => {
      const a = tensor([1, 2, 3], { requiresGrad: true });
      const b = tensor([1, 3, 2], { requiresGrad: true });
      backward(add(maximum(a, b), mul(minimum(a, b), 10)).sum());
      return [
        [a, b].map((leaf) => (leaf.grad as Tensor).data()),
        [maximum(tensor([NaN, 1]), tensor([1, NaN])).data(), minimum(tensor([NaN, 1]), 1).data()],
      ];
    });
    expect(await Promise.all(grads)).toEqual([Float32Array.of(5.5, 10, 1), Float32Array.of(5.5, 1, 10)]);
    expect(await Promise.all(nan)).toEqual([Float32Array.of(NaN, NaN), Float32Array.of(NaN, 1)]);
  });
});

describe('clamp', () => {
  it('limits values and lets gradients through inside, limits included', async () => {
    const [y, dx] = scope(() => {
      const x = tensor([-3, -1, 0.5, 2, 4], { requiresGrad: true });
      const y = clamp(x, -1, 2);
      backward(y.sum());
      return [y.data(), (x.grad as Tensor).data()];
    });
    expect(await y).toEqual(Float32Array.of(-1, -1, 0.5, 2, 2));
    expect(await dx).toEqual(Float32Array.of(0, 1, 1, 1, 0));
    await gradcheck((x) => clamp(x, -1, 1), values([2, 5]));
  });

  it('rejects limits in the wrong order', () => {
    scope(() => {
      expect(() => clamp(tensor([1]), 2, 1)).toThrow('Expected a number not above high (1) for low but received 2');
      expect(() => clamp(tensor([1]), NaN, 1)).toThrow('for low but received NaN');
    });
  });
});

it('computes on the device of its operands only', async () => {
  const { device } = await import('../../src/device.js');
  using other = device('cpu', { threads: 1 });
  scope(() => {
    const x = tensor([1], { device: cpu });
    const z = tensor([1], { device: other });
    expect(() => add(x, z)).toThrow('Expected a tensor on the same device as the others for b but received');
  });
});

function leafOf({ shape, data }: { shape: number[]; data: Float64Array }): Tensor {
  return tensor(data, { shape });
}

function positions(shape: number[]): number[][] {
  return shape.reduce<number[][]>(
    (list, count) => list.flatMap((head) => Array.from({ length: count }, (_, i) => [...head, i])),
    [[]],
  );
}

/** The element that broadcasting puts at a position of the result. */
function pick({ shape, data }: { shape: number[]; data: Float64Array }, position: number[]): number {
  const own = position.slice(position.length - shape.length);
  return data[shape.reduce((index, count, axis) => index * count + (count === 1 ? 0 : own[axis]), 0)];
}
