/** The device's primitives on tensors: unchecked and unrecorded, for operations and their gradients. */
import type { DType } from '../dtype.js';
import { BINARY, DTYPE_CODE, REDUCE, UNARY } from '../native/binding.js';
import { Tensor } from '../tensor.js';
import { broadcastShapes, broadcastStrides, countOf, layoutOf, type Shape, sameShape, stridesOf } from './layout.js';

const FIRST_COMPARISON = BINARY.equal;
const LAST_COMPARISON = BINARY.greaterEqual;

/** A tensor like `like`, with undefined contents, in the given shape and dtype. */
export function emptyLike(like: Tensor, shape: Shape = like.shape, dtype: DType = like.dtype): Tensor {
  return Tensor.allocate(shape, dtype, like.device);
}

/** Handle and offset of each tensor, 0 and 0 for null: how the binding takes many buffers at once. */
export function addresses(...tensors: (Tensor | null)[]): Float64Array {
  const pairs = new Float64Array(2 * tensors.length);
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i];
    if (tensor === null) continue;
    pairs[2 * i] = tensor.handle;
    pairs[2 * i + 1] = tensor.offset;
  }
  return pairs;
}

export function fill(target: Tensor, value: number): Tensor {
  const { binding } = target.device;
  if (target.size > 0) binding.fill(DTYPE_CODE[target.dtype], target.handle, target.offset, target.size, value);
  return target;
}

/** A tensor of shape [] on the device and in the dtype of `like`. */
export function scalarLike(value: number, like: Tensor): Tensor {
  return fill(emptyLike(like, []), value);
}

/** A rectangle of elements: where it starts within a tensor, and the strides of its axes. */
export interface Region {
  tensor: Tensor;
  offset: number;
  strides: readonly number[];
}

/** Copies, or adds, a region of the given shape to another. */
export function copyRegion(shape: Shape, from: Region, to: Region, accumulate = false): void {
  if (shape.includes(0)) return;
  const { binding } = to.tensor.device;
  const layout = layoutOf(shape, from.strides, to.strides);
  const source = from.tensor;
  const destination = to.tensor;
  binding.copy(
    DTYPE_CODE[destination.dtype],
    layout,
    accumulate,
    source.handle,
    source.offset + from.offset,
    destination.handle,
    destination.offset + to.offset,
  );
}

/** The whole of a contiguous tensor as a region. */
export function whole(tensor: Tensor): Region {
  return { tensor, offset: 0, strides: stridesOf(tensor.shape) };
}

/** A copy that repeats `x` to `shape`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const y = emptyLike(x, shape);
  copyRegion(shape, { tensor: x, offset: 0, strides: broadcastStrides(x.shape, shape) }, whole(y));
  return y;
}

export function castTo(x: Tensor, dtype: DType): Tensor {
  const y = emptyLike(x, x.shape, dtype);
  const { binding } = x.device;
  if (x.size > 0) {
    binding.cast(DTYPE_CODE[x.dtype], DTYPE_CODE[dtype], x.size, x.handle, x.offset, y.handle, y.offset);
  }
  return y;
}

/** op(x), in a new tensor or, given `y`, there; `y` may be `x`. */
export function unary(op: keyof typeof UNARY, x: Tensor, scalar = 0, y = emptyLike(x)): Tensor {
  const { binding } = x.device;
  if (x.size > 0) binding.unary(UNARY[op], DTYPE_CODE[x.dtype], x.size, scalar, x.handle, x.offset, y.handle, y.offset);
  return y;
}

/** op(a, b) with broadcasting, to `shape` if that is larger still; comparisons give int32. */
export function binary(
  op: keyof typeof BINARY,
  a: Tensor,
  b: Tensor,
  shape: Shape = broadcastShapes(a.shape, b.shape, 'b'),
): Tensor {
  const isComparison = BINARY[op] >= FIRST_COMPARISON && BINARY[op] <= LAST_COMPARISON;
  const out = emptyLike(a, shape, isComparison ? 'int32' : a.dtype);
  if (out.size === 0) return out;
  const layout = layoutOf(shape, broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape));
  const code = DTYPE_CODE[a.dtype];
  a.device.binding.binary(BINARY[op], code, layout, a.handle, a.offset, b.handle, b.offset, out.handle, out.offset);
  return out;
}

/** condition ? a : b with broadcasting. */
export function select(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShapes(broadcastShapes(condition.shape, a.shape, 'a'), b.shape, 'b');
  const out = emptyLike(a, shape);
  if (out.size === 0) return out;
  const strides = [condition, a, b].map((operand) => broadcastStrides(operand.shape, shape));
  a.device.binding.select(
    DTYPE_CODE[a.dtype],
    layoutOf(shape, ...strides),
    condition.handle,
    condition.offset,
    a.handle,
    a.offset,
    b.handle,
    b.offset,
    out.handle,
    out.offset,
  );
  return out;
}

/** Reduces `axes` (ascending) to a tensor of `shape`; argmax gives int32 positions along the flattened axes. */
export function reduce(op: keyof typeof REDUCE, x: Tensor, axes: readonly number[], shape: Shape): Tensor {
  const out = emptyLike(x, shape, op === 'argmax' ? 'int32' : x.dtype);
  if (x.size === 0) return fill(out, 0);
  const strides = stridesOf(x.shape);
  const pick = (of: readonly number[]): [number[], number[]] => [
    of.map((axis) => x.shape[axis]),
    of.map((axis) => strides[axis]),
  ];
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  x.device.binding.reduce(
    REDUCE[op],
    DTYPE_CODE[x.dtype],
    layoutOf(...pick(kept)),
    layoutOf(...pick([...axes])),
    x.handle,
    x.offset,
    out.handle,
    out.offset,
  );
  return out;
}

/** Sums a gradient over the axes along which an operand of shape `shape` was repeated. Returns `gradient` when there are none. */
export function sumTo(gradient: Tensor, shape: Shape): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const missing = gradient.rank - shape.length;
  const axes = gradient.shape.flatMap((count, axis) =>
    axis < missing || (shape[axis - missing] === 1 && count !== 1) ? [axis] : [],
  );
  return reduce('sum', gradient, axes, shape);
}

/** How gather and scatterAdd see their operands: source [outer, axis, inner], destination and index [outer, count, inner]. */
export interface GatherSizes {
  outer: number;
  axis: number;
  count: number;
  inner: number;
  indexStrides: readonly [number, number, number];
}

/** destination[o, j, i] = source[o, index[o, j, i], i]. */
export function gatherInto(sizes: GatherSizes, source: Tensor, index: Tensor, destination: Tensor): void {
  if (destination.size > 0) indexed('gather', sizes, source, index, destination);
}

/** destination[o, index[o, j, i], i] += source[o, j, i]. */
export function scatterAdd(sizes: GatherSizes, source: Tensor, index: Tensor, destination: Tensor): void {
  if (source.size > 0) indexed('scatterAdd', sizes, source, index, destination);
}

function indexed(
  operation: 'gather' | 'scatterAdd',
  { outer, axis, count, inner, indexStrides }: GatherSizes,
  source: Tensor,
  index: Tensor,
  destination: Tensor,
): void {
  source.device.binding[operation](
    DTYPE_CODE[source.dtype],
    Float64Array.of(outer, axis, count, inner, ...indexStrides),
    source.handle,
    source.offset,
    index.handle,
    index.offset,
    destination.handle,
    destination.offset,
  );
}

/** `shape` around `axis` as [outer, count, inner]. */
export function around(shape: Shape, axis: number): { outer: number; count: number; inner: number } {
  return { outer: countOf(shape, 0, axis), count: shape[axis], inner: countOf(shape, axis + 1, shape.length) };
}

/** Operands of a product: c [batch, m, n] = a [batch, m, k] · b [batch, k, n]; transposed ones lie as [k, m] or [n, k]. */
export interface Product {
  batch: number;
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  /** false: one matrix for the whole batch. */
  batchedA?: boolean;
  batchedB?: boolean;
  accumulate?: boolean;
}

/** Writes, or adds, the product of two contiguous operands. */
export function matmulInto(product: Product, a: Tensor, b: Tensor, c: Tensor): Tensor {
  const { batch, m, n, k, transposeA = false, transposeB = false, accumulate = false } = product;
  if (c.size === 0) return c;
  if (k === 0) return accumulate ? c : fill(c, 0);
  const strideA = (product.batchedA ?? true) ? m * k : 0;
  const strideB = (product.batchedB ?? true) ? k * n : 0;
  const sizes = Float64Array.of(batch, m, n, k, transposeA ? m : k, transposeB ? k : n, n, strideA, strideB, m * n);
  a.device.binding.matmul(
    DTYPE_CODE[a.dtype],
    sizes,
    transposeA,
    transposeB,
    accumulate,
    a.handle,
    a.offset,
    b.handle,
    b.offset,
    c.handle,
    c.offset,
  );
  return c;
}
