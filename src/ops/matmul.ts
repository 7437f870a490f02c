/** Matrix products. */
import { expected, ShapeError } from '../errors.js';
import type { GradSink } from '../graph.js';
import { record } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { broadcastShapes, countOf, type Shape, sameShape } from './layout.js';
import { checkFloatTensor, checkLike, checkTensorShape } from './operands.js';
import { copyRegion, emptyLike, expand, matmulInto, type Product, reduce, sumTo } from './primitives.js';
import { reshape } from './shape.js';

/**
 * The matrix product of the last two axes; the axes before them are a batch and broadcast. A vector counts as a row on the
 * left and as a column on the right, and its axis is dropped from the result.
 *
 * @throws ShapeError when the inner lengths differ.
 * @example
 * matmul(ones([2, 3]), ones([3, 4])); // [2, 4], all 3
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  checkFloatTensor(a, 'a');
  checkLike(b, 'b', a);
  if (a.rank === 0) throw expected('at least one axis', 'a', a.shape, ShapeError);
  const k = a.shape[a.rank - 1];
  if (b.rank === 0 || b.shape[Math.max(b.rank - 2, 0)] !== k) {
    throw expected(`${k} rows to fit the columns of a [${a.shape.join(', ')}]`, 'b', b.shape, ShapeError);
  }
  const left = a.rank === 1 ? reshape(a, [1, k]) : a;
  const right = b.rank === 1 ? reshape(b, [k, 1]) : b;
  const product = matrices(left, right);
  if (a.rank > 1 && b.rank > 1) return product;
  const { shape, rank } = product;
  return reshape(product, [
    ...shape.slice(0, rank - 2),
    ...(a.rank > 1 ? [shape[rank - 2]] : []),
    ...(b.rank > 1 ? [shape[rank - 1]] : []),
  ]);
}

/** The product of operands that have at least two axes. */
function matrices(a: Tensor, b: Tensor): Tensor {
  const [m, k] = a.shape.slice(-2);
  const n = b.shape[b.rank - 1];
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = broadcastShapes(batchA, batchB, 'the batch of b');
  const c = emptyLike(a, [...batch, m, n]);
  const count = countOf(batch, 0, batch.length);
  if (countOf(batchB, 0, batchB.length) === 1 && sameShape(batch, batchA)) {
    // One matrix on the right: the batch is nothing but more rows.
    multiply(a, b, c, { batch: 1, m: count * m, n, k });
  } else if (isShared(batchA, batch) && isShared(batchB, batch)) {
    const product = { batch: count, m, n, k, batchedA: sameSize(batchA, count), batchedB: sameSize(batchB, count) };
    multiply(a, b, c, product);
  } else {
    return matrices(repeat(a, [...batch, m, k]), repeat(b, [...batch, k, n]));
  }
  return c;
}

/** Whether operands with this batch can be read with a single batch stride. */
function isShared(own: Shape, batch: Shape): boolean {
  return countOf(own, 0, own.length) === 1 || sameSize(own, countOf(batch, 0, batch.length));
}

function sameSize(own: Shape, count: number): boolean {
  return countOf(own, 0, own.length) === count;
}

function repeat(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const y = expand(x, shape);
  record('matmul', [x], [y], ([g]) => sumTo(g!, x.shape));
  return y;
}

/** Writes a · b to c and records it. */
function multiply(a: Tensor, b: Tensor, c: Tensor, product: Product): void {
  const { batch, m, n, k, batchedA = true, batchedB = true } = product;
  matmulInto(product, a, b, c);
  record('matmul', [a, b], [c], ([g], sink) => {
    const da = { batch, m, n: k, k: n, transposeB: true, batchedB };
    const db = { batch, m: k, n, k: m, transposeA: true, batchedA };
    return [
      sink.wants(0)
        ? operandGrad(a, 0, batchedA, [batch, m, k], sink, (to) => matmulInto({ ...da, ...to }, g!, b, to.c))
        : null,
      sink.wants(1)
        ? operandGrad(b, 1, batchedB, [batch, k, n], sink, (to) => matmulInto({ ...db, ...to }, a, g!, to.c))
        : null,
    ];
  });
}

/** Lets `write` put a gradient in its place, or, for an operand shared by the batch, sums over the batch what it wrote. */
function operandGrad(
  operand: Tensor,
  index: number,
  batched: boolean,
  full: Shape,
  sink: GradSink,
  write: (to: { c: Tensor; accumulate: boolean }) => void,
): Tensor | null {
  if (batched || full[0] === 1) {
    const { tensor, accumulate } = sink.into(index);
    write({ c: tensor, accumulate });
    return null;
  }
  const c = emptyLike(operand, full);
  write({ c, accumulate: false });
  return reduce('sum', c, [0], operand.shape);
}

/**
 * x · weightᵀ + bias: x [..., I], weight [O, I], bias [O] to [..., O].
 *
 * @throws ShapeError when the shapes do not fit.
 * @example
 * linear(ones([5, 3]), ones([2, 3]), zeros([2])); // [5, 2], all 3
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  checkFloatTensor(x, 'x');
  checkLike(weight, 'weight', x);
  const inputs = x.shape[x.rank - 1];
  if (weight.rank !== 2) throw expected('two axes, [outputs, inputs],', 'weight', weight.shape, ShapeError);
  if (x.rank === 0 || weight.shape[1] !== inputs) {
    throw expected(
      `a last axis of ${weight.shape[1]} to fit weight [${weight.shape.join(', ')}]`,
      'x',
      x.shape,
      ShapeError,
    );
  }
  const outputs = weight.shape[0];
  if (bias !== null) checkTensorShape(checkLike(bias, 'bias', x), 'bias', [outputs]);
  const y = emptyLike(x, [...x.shape.slice(0, -1), outputs]);
  const rows = countOf(x.shape, 0, x.rank - 1);
  if (bias !== null)
    copyRegion(
      [rows, outputs],
      { tensor: bias, offset: 0, strides: [0, 1] },
      { tensor: y, offset: 0, strides: [outputs, 1] },
    );
  const product = { batch: 1, m: rows, n: outputs, k: inputs, transposeB: true, accumulate: bias !== null };
  matmulInto(product, x, weight, y);
  record('linear', [x, weight, bias], [y], ([g], sink) => {
    if (sink.wants(0)) {
      const { tensor, accumulate } = sink.into(0);
      matmulInto({ batch: 1, m: rows, n: inputs, k: outputs, accumulate }, g!, weight, tensor);
    }
    if (sink.wants(1)) {
      const { tensor, accumulate } = sink.into(1);
      matmulInto({ batch: 1, m: outputs, n: inputs, k: rows, transposeA: true, accumulate }, g!, x, tensor);
    }
    return [null, null, sink.wants(2) ? sumTo(g!, [outputs]) : null];
  });
  return y;
}
