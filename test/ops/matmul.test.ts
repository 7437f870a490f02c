import { describe, expect, it } from 'vitest';
import { linear, matmul, tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, leaf, type Values, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

const SHAPES: [a: number[], b: number[], result: number[]][] = [
  [
    [2, 3],
    [3, 4],
    [2, 4],
  ],
  [
    [1, 1],
    [1, 1],
    [1, 1],
  ],
  [[3], [3], []],
  [[3], [3, 4], [4]],
  [[2, 3], [3], [2]],
  [
    [5, 2, 3],
    [3, 4],
    [5, 2, 4],
  ],
  [
    [2, 3],
    [5, 3, 4],
    [5, 2, 4],
  ],
  [
    [5, 2, 3],
    [5, 3, 4],
    [5, 2, 4],
  ],
  [
    [1, 2, 3],
    [5, 3, 4],
    [5, 2, 4],
  ],
  [
    [2, 1, 2, 3],
    [3, 3, 1],
    [2, 3, 2, 1],
  ],
  [
    [2, 1, 2, 3],
    [1, 3, 3, 2],
    [2, 3, 2, 2],
  ],
  [[3], [2, 3, 4], [2, 4]],
  [[2, 2, 3], [3], [2, 2]],
  [
    [2, 0],
    [0, 3],
    [2, 3],
  ],
  [
    [0, 2],
    [2, 3],
    [0, 3],
  ],
];

/** The product by the definition, with vectors as a row on the left and a column on the right. */
function reference(a: Values, b: Values, shape: number[]): number[] {
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [m, k] = left.slice(-2);
  const n = right[right.length - 1];
  const batch = shape.slice(0, Math.max(left.length, right.length) - 2);
  const count = batch.reduce((product, length) => product * length, 1);
  const start = (own: number[], index: number): number => {
    let offset = 0;
    let stride = own.slice(-2)[0] * own.slice(-1)[0];
    for (let axis = batch.length - 1, rest = index; axis >= 0; axis--) {
      const length = own.slice(0, -2)[axis - batch.length + own.length - 2] ?? 1;
      offset += (length === 1 ? 0 : rest % batch[axis]) * stride;
      stride *= length;
      rest = Math.floor(rest / batch[axis]);
    }
    return offset;
  };
  const result: number[] = [];
  for (let index = 0; index < count; index++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let q = 0; q < k; q++)
          sum += a.data[start(left, index) + i * k + q] * b.data[start(right, index) + q * n + j];
        result.push(sum);
      }
    }
  }
  return result;
}

describe('matmul', () => {
  it.each(SHAPES)('%j by %j is %j', async (shapeA, shapeB, shape) => {
    const [a, b] = [values(shapeA), values(shapeB, { seed: 2 })];
    const [double, single] = scope(() => {
      const product = matmul(leaf(a), leaf(b));
      expect(product.shape).toEqual(shape);
      return [product.data(), matmul(leaf(a).cast('float32'), leaf(b).cast('float32')).data()];
    });
    expectClose(await double, reference(a, b, shape), 'product', 'float64');
    expectClose(await single, reference(a, b, shape), 'product', 'float32');
  });

  it.each(SHAPES)('has the gradients of %j by %j', async (shapeA, shapeB) => {
    await gradcheck(matmul, values(shapeA), values(shapeB, { seed: 2 }));
  });

  it('multiplies odd sizes beyond one block', async () => {
    const [a, b] = [values([37, 71]), values([71, 53], { seed: 2 })];
    const product = scope(() => matmul(leaf(a), leaf(b)).data());
    expectClose(await product, reference(a, b, [37, 53]), 'product', 'float64');
  });

  it('adds both gradients when a tensor meets itself', async () => {
    await gradcheck((a) => matmul(a, a), values([3, 3]));
    await gradcheck((a) => matmul(a, a), values([4]));
  });

  it('rejects what does not fit', () => {
    scope(() => {
      const a = tensor([[1, 2, 3]]);
      expect(() => matmul(a, tensor([[1, 2]]))).toThrow(
        'Expected 3 rows to fit the columns of a [1, 3] for b but received [1, 2]',
      );
      expect(() => matmul(tensor(1), a)).toThrow('Expected at least one axis for a but received []');
      expect(() => matmul(a, tensor(Int32Array.of(1, 2, 3)))).toThrow('Expected a tensor of float32 (use cast) for b');
      expect(() =>
        matmul(tensor(new Float32Array(12), { shape: [2, 2, 3] }), tensor(new Float32Array(9), { shape: [3, 3, 1] })),
      ).toThrow('Expected a shape that broadcasts with [2] for the batch of b but received [3]');
    });
  });
});

describe('linear', () => {
  it.each([
    [[2, 3], 4],
    [[3], 1],
    [[2, 5, 3], 2],
    [[1, 1], 1],
  ])('is x · weightᵀ + bias for x %j and %d outputs', async (shape, outputs) => {
    const inputs = shape[shape.length - 1];
    const [x, w, b] = [values(shape), values([outputs, inputs], { seed: 2 }), values([outputs], { seed: 3 })];
    const [result, bare] = scope(() => {
      const [x_, w_, b_] = [leaf(x), leaf(w), leaf(b)];
      return [linear(x_, w_, b_).data(), linear(x_, w_).data()];
    });
    const products = Array.from({ length: (x.data.length / inputs) * outputs }, (_, i) => {
      const [row, o] = [Math.floor(i / outputs), i % outputs];
      let sum = 0;
      for (let q = 0; q < inputs; q++) sum += x.data[row * inputs + q] * w.data[o * inputs + q];
      return sum;
    });
    expectClose(await bare, products, 'product', 'float64');
    expectClose(
      await result,
      products.map((sum, i) => sum + b.data[i % outputs]),
      'product',
      'float64',
    );
    await gradcheck((x_, w_, b_) => linear(x_, w_, b_), x, w, b);
    await gradcheck((x_, w_) => linear(x_, w_), x, w);
  });

  it('accumulates into gradients that are there', async () => {
    const [w, b] = scope(() => {
      const weight = tensor([[1, 2]], { requiresGrad: true });
      const bias = tensor([0], { requiresGrad: true });
      for (const scale of [1, 10])
        backward(
          linear(
            tensor([
              [scale, 2 * scale],
              [0, scale],
            ]),
            weight,
            bias,
          ).sum(),
        );
      return [weight, bias].map(({ grad }) => (grad as Tensor).data());
    });
    expect(await w).toEqual(Float32Array.of(11, 33));
    expect(await b).toEqual(Float32Array.of(4));
  });

  it('rejects what does not fit', () => {
    scope(() => {
      const x = tensor([[1, 2, 3]]);
      expect(() => linear(x, tensor([[1, 2]]))).toThrow(
        'Expected a last axis of 2 to fit weight [1, 2] for x but received [1, 3]',
      );
      expect(() => linear(x, tensor([1, 2, 3]))).toThrow(
        'Expected two axes, [outputs, inputs], for weight but received [3]',
      );
      expect(() => linear(x, tensor([[1, 2, 3]]), tensor([1, 2]))).toThrow(
        'Expected shape [1] for bias but received [2]',
      );
    });
  });
});
