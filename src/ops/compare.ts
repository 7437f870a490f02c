/** Comparisons (int32 zeros and ones), choices by them, and conversions between dtypes. */
import { checkDType, type DType } from '../dtype.js';
import type { BINARY } from '../native/binding.js';
import { record } from '../tape.js';
import { Tensor } from '../tensor.js';
import { type Operand, pair } from './arithmetic.js';
import { checkIndices, checkTensor } from './operands.js';
import { binary, castTo, scalarLike, select, sumTo } from './primitives.js';

/**
 * 1 where a = b, else 0; int32. NaN equals nothing.
 *
 * @example
 * equal(tensor([1, 2, 3]), 2); // [0, 1, 0]
 */
export function equal(a: Operand, b: Operand): Tensor {
  return compare('equal', a, b);
}

/**
 * 1 where a ≠ b, else 0; int32.
 *
 * @example
 * notEqual(tensor([1, 2, 3]), 2); // [1, 0, 1]
 */
export function notEqual(a: Operand, b: Operand): Tensor {
  return compare('notEqual', a, b);
}

/**
 * 1 where a < b, else 0; int32.
 *
 * @example
 * less(tensor([1, 2, 3]), 2); // [1, 0, 0]
 */
export function less(a: Operand, b: Operand): Tensor {
  return compare('less', a, b);
}

/**
 * 1 where a ≤ b, else 0; int32.
 *
 * @example
 * lessEqual(tensor([1, 2, 3]), 2); // [1, 1, 0]
 */
export function lessEqual(a: Operand, b: Operand): Tensor {
  return compare('lessEqual', a, b);
}

/**
 * 1 where a > b, else 0; int32.
 *
 * @example
 * greater(tensor([1, 2, 3]), 2); // [0, 0, 1]
 */
export function greater(a: Operand, b: Operand): Tensor {
  return compare('greater', a, b);
}

/**
 * 1 where a ≥ b, else 0; int32.
 *
 * @example
 * greaterEqual(tensor([1, 2, 3]), 2); // [0, 1, 1]
 */
export function greaterEqual(a: Operand, b: Operand): Tensor {
  return compare('greaterEqual', a, b);
}

function compare(op: keyof typeof BINARY, a: Operand, b: Operand): Tensor {
  return binary(op, ...pair(a, b));
}

/**
 * a where the int32 `condition` is not 0, else b; all three broadcast. Gradients flow to the operand that was taken.
 *
 * @example
 * const x = tensor([-1, 2]);
 * where(less(x, 0), 0, x); // [0, 2]
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [x, z] = pair(a, b);
  checkIndices(condition, 'condition', x);
  const y = select(condition, x, z);
  record('where', [x, z], [y], ([g], sink) => {
    const zero = scalarLike(0, g!);
    return [
      sink.wants(0) ? sumTo(select(condition, g!, zero), x.shape) : null,
      sink.wants(1) ? sumTo(select(condition, zero, g!), z.shape) : null,
    ];
  });
  return y;
}

/**
 * The values in another dtype; floats are cut towards zero to become integers. Gradients flow between floats.
 *
 * @example
 * cast(tensor([1.5, -1.5]), 'int32'); // [1, -1]
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  checkTensor(x, 'x');
  checkDType(dtype);
  const y = dtype === x.dtype ? Tensor.view(x, 0, x.shape) : castTo(x, dtype);
  if (dtype !== 'int32') record('cast', [x], [y], ([g]) => (g!.dtype === x.dtype ? g : castTo(g!, x.dtype)));
  return y;
}
