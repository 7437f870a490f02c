/** Sums, means and maxima over axes. */
import { checkBoolean, checkOptions } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import { record } from '../tape.js';
import { Tensor } from '../tensor.js';
import { checkAxes, checkAxis, reducedShape } from './layout.js';
import { checkFloatTensor, checkTensor } from './operands.js';
import { around, emptyLike, expand, fill, reduce, scatterAdd, unary } from './primitives.js';

/** Options of the reductions. */
export interface ReduceOptions {
  /** Keeps the reduced axes with length 1. */
  keepDims?: boolean;
}

/**
 * The sum over one axis, several, or (left out) all.
 *
 * @throws ArgumentError for axes that are not there or come twice.
 * @example
 * sum(ones([2, 3]), 1); // [3, 3]
 */
export function sum(x: Tensor, axis?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  checkTensor(x, 'x');
  const axes = checkAxes(axis, x.rank);
  const y = reduce('sum', x, axes, reducedShape(x.shape, axes, checkKeepDims(options)));
  const kept = reducedShape(x.shape, axes, true);
  record('sum', [x], [y], ([g]) => expand(Tensor.view(g!, 0, kept), x.shape));
  return y;
}

/**
 * The mean over one axis, several, or (left out) all; NaN over no elements.
 *
 * @throws ArgumentError for integers, and for axes that are not there or come twice.
 * @example
 * mean(tensor([[1, 2], [3, 4]]), 0, { keepDims: true }); // [[2, 3]]
 */
export function mean(x: Tensor, axis?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  checkFloatTensor(x, 'x');
  const axes = checkAxes(axis, x.rank);
  const scale = 1 / axes.reduce((count, i) => count * x.shape[i], 1);
  const y = reduce('sum', x, axes, reducedShape(x.shape, axes, checkKeepDims(options)));
  unary('multiplyScalar', y, scale, y);
  const kept = reducedShape(x.shape, axes, true);
  record('mean', [x], [y], ([g]) => expand(unary('multiplyScalar', Tensor.view(g!, 0, kept), scale), x.shape));
  return y;
}

/**
 * The largest element along an axis, or (left out) of all; NaN if there is one. The gradient goes to the first of equals.
 *
 * @throws ShapeError when there is nothing to choose from.
 * @example
 * max(tensor([[1, 5], [7, 2]]), 1); // [5, 7]
 */
export function max(x: Tensor, axis?: number, options: ReduceOptions = {}): Tensor {
  const { axes, flat, along } = checkChoice(x, axis);
  const y = reduce('maximum', x, axes, reducedShape(x.shape, axes, checkKeepDims(options)));
  record('max', [x], [y], ([g]) => {
    const { outer, count, inner } = around(flat, along);
    const dx = fill(emptyLike(x), 0);
    const sizes = { outer, axis: count, count: 1, inner, indexStrides: [inner, inner, 1] } as const;
    scatterAdd(sizes, g!, reduce('argmax', x, axes, reducedShape(x.shape, axes, false)), dx);
    return dx;
  });
  return y;
}

/**
 * The int32 position of the first largest element along an axis, or (left out) among all in row-major order.
 *
 * @throws ShapeError when there is nothing to choose from.
 * @example
 * argmax(tensor([[1, 5], [7, 2]]), 1); // [1, 0]
 */
export function argmax(x: Tensor, axis?: number, options: ReduceOptions = {}): Tensor {
  const { axes } = checkChoice(x, axis);
  return reduce('argmax', x, axes, reducedShape(x.shape, axes, checkKeepDims(options)));
}

/** One axis or all: the axes to reduce, and the same as one axis of a (flattened) shape. */
function checkChoice(x: Tensor, axis: number | undefined): { axes: number[]; flat: readonly number[]; along: number } {
  checkTensor(x, 'x');
  const along = axis === undefined ? undefined : checkAxis(axis, x.rank);
  if (x.size === 0) throw expected('at least one element', 'x', x.shape, ShapeError);
  return along === undefined
    ? { axes: checkAxes(undefined, x.rank), flat: [x.size], along: 0 }
    : { axes: [along], flat: x.shape, along };
}

function checkKeepDims(options: ReduceOptions): boolean {
  checkOptions(options, 'options', ['keepDims']);
  return checkBoolean(options.keepDims ?? false, 'keepDims');
}
