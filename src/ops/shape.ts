/** Views, rearrangements, parts and joins. */
import { checkInteger } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import { record } from '../tape.js';
import { checkShape, sizeOf, Tensor } from '../tensor.js';
import { checkAxis, type Shape, sameShape, stridesOf } from './layout.js';
import { checkLike, checkTensor } from './operands.js';
import { copyRegion, emptyLike, fill, type Region, whole } from './primitives.js';

/**
 * The same elements in another shape, sharing their buffer; one length may be -1 and is worked out.
 *
 * @throws ShapeError when the numbers of elements differ.
 * @example
 * reshape(arange(6), [2, -1]); // [2, 3]
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  checkTensor(x, 'x');
  const y = Tensor.view(x, 0, inferShape(shape, x));
  record('reshape', [x], [y], ([g]) => Tensor.view(g!, 0, x.shape));
  return y;
}

function inferShape(shape: readonly number[], x: Tensor): Shape {
  const open = Array.isArray(shape) ? shape.indexOf(-1) : -1;
  if (open < 0) {
    if (sizeOf(checkShape(shape, 'shape')) === x.size) return shape;
  } else {
    const others = checkShape([...shape.slice(0, open), ...shape.slice(open + 1)], 'the other lengths of shape');
    const rest = x.size / sizeOf(others);
    if (Number.isInteger(rest)) return shape.map((count, axis) => (axis === open ? rest : count));
  }
  throw expected(`a shape of ${x.size} elements`, 'shape', shape, ShapeError);
}

/**
 * The axes in another order, as a copy; by default the last two are swapped.
 *
 * @throws ArgumentError unless `axes` names every axis once.
 * @example
 * transpose(zeros([2, 3, 4]), [2, 0, 1]); // [4, 2, 3]
 */
export function transpose(x: Tensor, axes?: readonly number[]): Tensor {
  checkTensor(x, 'x');
  const order = axes === undefined ? swapLast(x.rank) : checkOrder(axes, x.rank);
  const y = permuted(x, order);
  const inverse = order.map((_, axis) => order.indexOf(axis));
  record('transpose', [x], [y], ([g]) => permuted(g!, inverse));
  return y;
}

function swapLast(rank: number): number[] {
  if (rank < 2) throw expected('a tensor with at least two axes', 'x', `${rank} axes`, ShapeError);
  const order = Array.from({ length: rank }, (_, axis) => axis);
  [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
  return order;
}

function checkOrder(axes: readonly number[], rank: number): number[] {
  if (!Array.isArray(axes) || axes.length !== rank) throw expected(`an order of ${rank} axes`, 'axes', axes);
  const order = axes.map((axis) => checkAxis(axis, rank, 'axes'));
  if (new Set(order).size !== rank) throw expected('each axis once', 'axes', axes);
  return order;
}

function permuted(x: Tensor, order: readonly number[]): Tensor {
  const y = emptyLike(
    x,
    order.map((axis) => x.shape[axis]),
  );
  const strides = stridesOf(x.shape);
  copyRegion(y.shape, { tensor: x, offset: 0, strides: order.map((axis) => strides[axis]) }, whole(y));
  return y;
}

/** The part of `tensor` that starts at `start` along `axis`. */
function part(tensor: Tensor, axis: number, start: number): Region {
  const strides = stridesOf(tensor.shape);
  return { tensor, offset: start * strides[axis], strides };
}

/**
 * The entries start..end - 1 along an axis; negative positions count from the end. Along the first axis that is a view which
 * shares the buffer, else a copy.
 *
 * @throws ArgumentError when the range does not lie within the axis.
 * @example
 * slice(arange(5), 0, 1, -1); // [1, 2, 3]
 */
export function slice(x: Tensor, axis: number, start: number, end?: number): Tensor {
  checkTensor(x, 'x');
  const along = checkAxis(axis, x.rank);
  const count = x.shape[along];
  const from = fromEnd(checkInteger(start, 'start', { min: -count, max: count }), count);
  const to = end === undefined ? count : fromEnd(checkInteger(end, 'end', { min: -count, max: count }), count);
  if (to < from) throw expected(`at least start (${from})`, 'end', to);
  const shape = x.shape.map((length, i) => (i === along ? to - from : length));
  return takePart('slice', x, along, from, shape, shape);
}

/**
 * The entry at `index` along the first axis, without that axis; negative ones count from the end. Shares the buffer.
 *
 * @throws ArgumentError when there is no such entry.
 * @example
 * at(tensor([[1, 2], [3, 4]]), -1); // [3, 4]
 */
export function at(x: Tensor, index: number): Tensor {
  checkTensor(x, 'x');
  if (x.rank === 0) throw expected('a tensor with at least one axis', 'x', x.shape, ShapeError);
  const count = x.shape[0];
  const from = fromEnd(checkInteger(index, 'index', { min: -count, max: count - 1 }), count);
  const rest = x.shape.slice(1);
  return takePart('at', x, 0, from, [1, ...rest], rest);
}

function fromEnd(position: number, count: number): number {
  return position < 0 ? position + count : position;
}

/** The part of x that has the shape `taken`, as a tensor of `shape`. */
function takePart(name: string, x: Tensor, axis: number, start: number, taken: Shape, shape: Shape): Tensor {
  const region = part(x, axis, start);
  let y: Tensor;
  if (axis === 0) {
    y = Tensor.view(x, region.offset, shape);
  } else {
    y = emptyLike(x, shape);
    copyRegion(taken, region, whole(y));
  }
  record(name, [x], [y], ([g], sink) => {
    const { tensor, accumulate } = sink.into(0);
    if (!accumulate) fill(tensor, 0);
    copyRegion(taken, { tensor: g!, offset: 0, strides: stridesOf(taken) }, part(tensor, axis, start), true);
    return null;
  });
  return y;
}

/**
 * The tensor in consecutive parts of the given lengths along an axis.
 *
 * @throws ShapeError when the lengths do not add up to the axis.
 * @example
 * const [first, rest] = split(arange(5), [2, 3]); // [0, 1] and [2, 3, 4]
 */
export function split(x: Tensor, lengths: readonly number[], axis = 0): Tensor[] {
  checkTensor(x, 'x');
  const along = checkAxis(axis, x.rank);
  checkShapeSum(lengths, x.shape[along]);
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return slice(x, along, end - length, end);
  });
}

function checkShapeSum(lengths: readonly number[], count: number): void {
  if (!Array.isArray(lengths)) throw expected('an array of lengths', 'lengths', lengths);
  for (const length of lengths) checkInteger(length, 'lengths', { min: 0 });
  const sum = lengths.reduce((total, length) => total + length, 0);
  if (sum !== count) throw expected(`lengths that add up to ${count}`, 'lengths', lengths, ShapeError);
}

/**
 * Tensors joined along an axis that exists; all other lengths must agree.
 *
 * @throws ShapeError when they do not.
 * @example
 * concat([ones([2, 1]), zeros([2, 3])], 1); // [2, 4]
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = checkList(tensors);
  const along = checkAxis(axis, first.rank);
  for (const next of tensors) {
    checkLike(next, 'tensors', first);
    const fits = next.rank === first.rank && first.shape.every((count, i) => i === along || count === next.shape[i]);
    if (!fits)
      throw expected(
        `shapes like [${first.shape.join(', ')}] but for axis ${along}`,
        'tensors',
        next.shape,
        ShapeError,
      );
  }
  const starts: number[] = [];
  let count = 0;
  for (const next of tensors) {
    starts.push(count);
    count += next.shape[along];
  }
  const y = emptyLike(
    first,
    first.shape.map((length, i) => (i === along ? count : length)),
  );
  tensors.forEach((next, i) => {
    copyRegion(next.shape, whole(next), part(y, along, starts[i]));
  });
  const inputs = [...tensors];
  record('concat', inputs, [y], ([g], sink) =>
    inputs.map((input, i) => {
      if (!sink.wants(i)) return null;
      const dx = emptyLike(input);
      copyRegion(input.shape, part(g!, along, starts[i]), whole(dx));
      return dx;
    }),
  );
  return y;
}

/**
 * Tensors of one shape joined along a new axis.
 *
 * @throws ShapeError when the shapes differ.
 * @example
 * stack([ones([3]), zeros([3])]); // [2, 3]
 */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = checkList(tensors);
  const along = checkAxis(axis, first.rank + 1);
  for (const next of tensors) {
    checkLike(next, 'tensors', first);
    if (!sameShape(next.shape, first.shape))
      throw expected(`shape [${first.shape.join(', ')}]`, 'tensors', next.shape, ShapeError);
  }
  const shape = [...first.shape.slice(0, along), 1, ...first.shape.slice(along)];
  return concat(
    tensors.map((next) => reshape(next, shape)),
    along,
  );
}

function checkList(tensors: readonly Tensor[]): Tensor {
  if (!Array.isArray(tensors) || tensors.length === 0)
    throw expected('a list of at least one tensor', 'tensors', tensors);
  return checkTensor(tensors[0], 'tensors');
}

/** x with `axis` moved to the end, and the order that moves it back. */
export function axisToEnd(x: Tensor, axis: number): { moved: Tensor; back: number[] } {
  const order = x.shape.map((_, i) => i).filter((i) => i !== axis);
  order.push(axis);
  return { moved: transpose(x, order), back: order.map((_, i) => order.indexOf(i)) };
}
