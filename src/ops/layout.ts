/** Shapes, axes and strides: what broadcasting and reductions mean, without touching a tensor. */
import { checkInteger } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import type { Layout } from '../native/binding.js';

export type Shape = readonly number[];

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((count, axis) => count === b[axis]);
}

/** Row-major element strides of a contiguous array. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/**
 * The shape that both broadcast to: aligned at the last axis, a length of 1 or a missing axis repeats.
 *
 * @throws ShapeError when two lengths differ and neither is 1.
 */
export function broadcastShapes(a: Shape, b: Shape, name: string): number[] {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const fromA = a[axis - rank + a.length] ?? 1;
    const fromB = b[axis - rank + b.length] ?? 1;
    if (fromA !== fromB && fromA !== 1 && fromB !== 1) {
      throw expected(`a shape that broadcasts with [${a.join(', ')}]`, name, b, ShapeError);
    }
    shape[axis] = fromA === 1 ? fromB : fromA;
  }
  return shape;
}

/** Strides with which a contiguous array of shape `from` is read as one of shape `to`: 0 along repeated axes. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const missing = to.length - from.length;
  const strides = stridesOf(from);
  return to.map((_, axis) => (axis < missing || from[axis - missing] === 1 ? 0 : strides[axis - missing]));
}

/** The binding's form of one index space and the element strides of its operands. */
export function layoutOf(shape: Shape, ...strides: Shape[]): Layout {
  const rank = shape.length;
  const layout = new Float64Array(1 + rank * (1 + strides.length));
  layout[0] = rank;
  layout.set(shape, 1);
  for (let operand = 0; operand < strides.length; operand++) layout.set(strides[operand], 1 + rank * (1 + operand));
  return layout;
}

/**
 * An axis counted from the front; negative ones count from the back.
 *
 * @throws ArgumentError when a tensor of this rank has no such axis.
 */
export function checkAxis(axis: unknown, rank: number, name = 'axis'): number {
  const checked = checkInteger(axis, name, { min: -rank, max: rank - 1 });
  return checked < 0 ? checked + rank : checked;
}

/**
 * A list of different axes in ascending order; undefined means all.
 *
 * @throws ArgumentError for axes that do not exist or come twice.
 */
export function checkAxes(axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const list = (Array.isArray(axes) ? axes : [axes]).map((axis) => checkAxis(axis, rank));
  if (new Set(list).size !== list.length) throw expected('different axes', 'axis', axes);
  return list.sort((a, b) => a - b);
}

/** `shape` without `axes`, or with length 1 there. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((count, axis) => (axes.includes(axis) ? 1 : count))
    : shape.filter((_, axis) => !axes.includes(axis));
}

/** The product of the lengths from axis `begin` up to `end`. */
export function countOf(shape: Shape, begin: number, end: number): number {
  let count = 1;
  for (let axis = begin; axis < end; axis++) count *= shape[axis];
  return count;
}
