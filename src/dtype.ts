/** The element types of tensors, and how JavaScript values become elements and back. */
import { checkChoice } from './check.js';
import { expected, ShapeError } from './errors.js';

/** Element type of a tensor. */
export type DType = 'float32' | 'float64' | 'int32';
/** Element types that can carry gradients. */
export type FloatDType = 'float32' | 'float64';

/** The typed array that holds elements of a dtype. */
export type DataOf<D extends DType> = D extends 'float32'
  ? Float32Array<ArrayBuffer>
  : D extends 'float64'
    ? Float64Array<ArrayBuffer>
    : Int32Array<ArrayBuffer>;

/** Numbers nested to any depth, all rows of one level equally long. */
export type NestedNumbers = number | NestedNumbers[];

/** A typed array that tensors can be made from. */
export type NumberArray = Float32Array | Float64Array | Int32Array;

/** The most axes a tensor has; `kMaxRank` of native/core/desc.h. */
export const MAX_RANK = 8;

export const DTYPES: readonly DType[] = ['float32', 'float64', 'int32'];
export const FLOAT_DTYPES: readonly FloatDType[] = ['float32', 'float64'];

/** Bytes of one element. */
export function bytesPer(dtype: DType): number {
  return dtype === 'float64' ? 8 : 4;
}

/** The typed array class of a dtype. */
export function arrayFor<D extends DType>(dtype: D): new (length: number) => DataOf<D> {
  const type = dtype === 'float32' ? Float32Array : dtype === 'float64' ? Float64Array : Int32Array;
  return type as unknown as new (
    length: number,
  ) => DataOf<D>;
}

/** Whether elements of this dtype can carry gradients. */
export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype !== 'int32';
}

/** @throws ArgumentError unless `value` names a dtype. */
export function checkDType(value: unknown, name = 'dtype'): DType {
  return checkChoice(value, name, DTYPES);
}

/** @throws ArgumentError unless `value` is 'float32' or 'float64'. */
export function checkFloatDType(value: unknown, name = 'dtype'): FloatDType {
  return checkChoice(value, name, FLOAT_DTYPES);
}

/** The dtype whose elements a typed array holds, or undefined for other arrays. */
export function dtypeOf(array: unknown): DType | undefined {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof Int32Array) return 'int32';
  return undefined;
}

/**
 * The shape of nested arrays, taken from their first entries.
 *
 * @throws ShapeError when rows of one level differ in length, ArgumentError when an entry is no number.
 */
export function shapeOfNested(data: NestedNumbers, name: string): number[] {
  const shape: number[] = [];
  for (let level: NestedNumbers = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > MAX_RANK) throw expected(`numbers nested at most ${MAX_RANK} deep`, name, data, ShapeError);
    if (level.length === 0) break;
  }
  const visit = (value: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (typeof value !== 'number') throw expected(`numbers nested ${depth} deep`, name, value);
      return;
    }
    if (!Array.isArray(value)) throw expected(`numbers nested ${shape.length} deep`, name, value);
    if (value.length !== shape[depth]) {
      throw expected(`rows of ${shape[depth]} entries`, name, `a row of ${value.length}`, ShapeError);
    }
    for (const entry of value) visit(entry, depth + 1);
  };
  visit(data, 0);
  return shape;
}

/**
 * The elements of (nested) numbers or a typed array as a typed array of `dtype`; one that is that already comes back as it is.
 *
 * @throws ArgumentError when `dtype` is int32 and a number is no 32-bit integer.
 */
export function toElements<D extends DType>(data: NestedNumbers | NumberArray, dtype: D, name: string): DataOf<D> {
  const given = dtypeOf(data);
  if (given === dtype) return data as DataOf<D>;
  const flat: ArrayLike<number> =
    given !== undefined
      ? (data as NumberArray)
      : Array.isArray(data)
        ? (data.flat(Infinity as 1) as number[])
        : [data as number];
  const elements = new (arrayFor(dtype))(flat.length);
  for (let i = 0; i < flat.length; i++) {
    elements[i] = flat[i];
    if (dtype === 'int32' && elements[i] !== flat[i]) throw expected('32-bit integers', name, flat[i]);
  }
  return elements;
}

/** Elements in row-major order as arrays nested by `shape`; a number when the shape is []. */
export function toNested(elements: ArrayLike<number>, shape: readonly number[]): NestedNumbers {
  if (shape.length === 0) return elements[0];
  let position = 0;
  const build = (axis: number): NestedNumbers[] =>
    Array.from({ length: shape[axis] }, () => (axis + 1 === shape.length ? elements[position++] : build(axis + 1)));
  return build(0);
}
