/** Arithmetic of two operands with broadcasting; one of them may be a number. */
import { expected } from '../errors.js';
import { record } from '../tape.js';
import type { Tensor } from '../tensor.js';
import type { Shape } from './layout.js';
import { checkFloatTensor, checkLike, checkScalar, checkTensor } from './operands.js';
import { binary, castTo, emptyLike, fill, scalarLike, select, sumTo, unary } from './primitives.js';

/** What arithmetic takes beside a tensor: another one, broadcast, or a number. */
export type Operand = Tensor | number;

/**
 * a + b, element by element
 *
 * @throws ShapeError when the shapes do not broadcast; ArgumentError when dtypes or devices differ. So do all others here.
 * @example
 * add(ones([2, 3]), tensor([1, 2, 3])); // [[2, 3, 4], [2, 3, 4]]
 */
export function add(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return addNumber(a, b, 'b');
  if (typeof a === 'number') return addNumber(b, a, 'a');
  [a, b] = pair(a, b);
  const y = binary('add', a, b);
  const [shapeA, shapeB] = [a.shape, b.shape];
  record('add', [a, b], [y], ([g]) => [sumTo(g!, shapeA), sumTo(g!, shapeB)]);
  return y;
}

/**
 * a - b, element by element
 *
 * @example
 * sub(tensor([3, 2]), 1); // [2, 1]
 */
export function sub(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return addNumber(a, -b, 'b');
  const [x, z] = pair(a, b);
  const y = binary('subtract', x, z);
  record('sub', [x, z], [y], ([g], sink) => [
    sumTo(g!, x.shape),
    sink.wants(1) ? unary('negative', sumTo(g!, z.shape)) : null,
  ]);
  return y;
}

/**
 * a * b, element by element
 *
 * @example
 * mul(tensor([3, 2]), tensor([[2], [10]])); // [[6, 4], [30, 20]]
 */
export function mul(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return mulNumber(a, b, 'b');
  if (typeof a === 'number') return mulNumber(b, a, 'a');
  const [x, z] = pair(a, b);
  const y = binary('multiply', x, z);
  record('mul', [x, z], [y], ([g], sink) => [
    sink.wants(0) ? sumTo(binary('multiply', g!, z), x.shape) : null,
    sink.wants(1) ? sumTo(binary('multiply', g!, x), z.shape) : null,
  ]);
  return y;
}

/**
 * a / b, element by element; float tensors only
 *
 * @example
 * div(tensor([3, 1]), 2); // [1.5, 0.5]
 */
export function div(a: Operand, b: Operand): Tensor {
  const [x, z] = pair(a, b);
  checkFloatTensor(x, 'a');
  const y = binary('divide', x, z);
  record('div', [x, z], [y], ([g], sink) => {
    const dx = binary('divide', g!, z);
    return [sumTo(dx, x.shape), sink.wants(1) ? unary('negative', sumTo(binary('multiply', dx, y), z.shape)) : null];
  });
  return y;
}

/**
 * a to the power b, element by element; float tensors only
 *
 * @example
 * pow(tensor([3, 2]), 2); // [9, 4]
 */
export function pow(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return powNumber(a, b);
  const [x, z] = pair(a, b);
  checkFloatTensor(x, 'a');
  const y = binary('power', x, z);
  record('pow', [x, z], [y], ([g], sink) => [
    sink.wants(0) ? sumTo(binary('multiply', g!, powerByBase(x, z)), x.shape) : null,
    sink.wants(1) ? sumTo(binary('multiply', g!, powerByExponent(x, y)), z.shape) : null,
  ]);
  return y;
}

/**
 * The larger of a and b; NaN if either is. Where they are equal each gets half of the gradient.
 *
 * @example
 * maximum(tensor([-1, 2]), 0); // [0, 2]
 */
export function maximum(a: Operand, b: Operand): Tensor {
  return extreme('maximum', a, b);
}

/**
 * The smaller of a and b; NaN if either is. Where they are equal each gets half of the gradient.
 *
 * @example
 * minimum(tensor([-1, 2]), 0); // [-1, 0]
 */
export function minimum(a: Operand, b: Operand): Tensor {
  return extreme('minimum', a, b);
}

/**
 * x limited to low..high; the gradient passes where x lies inside, limits included.
 *
 * @throws ArgumentError when `low` is above `high`.
 * @example
 * clamp(tensor([-3, 0.5, 7]), 0, 1); // [0, 0.5, 1]
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  checkTensor(x, 'x');
  checkScalar(low, 'low', x.dtype);
  checkScalar(high, 'high', x.dtype);
  if (!(low <= high)) throw expected(`a number not above high (${high})`, 'low', low);
  const y = unary('maximumScalar', x, low);
  unary('minimumScalar', y, high, y);
  record('clamp', [x], [y], ([g]) => binary('multiply', g!, castTo(binary('equal', x, y), x.dtype)));
  return y;
}

/** Two operands as tensors of one dtype on one device; a number becomes a scalar like the other. */
export function pair(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a === 'number') {
    const z = checkTensor(b, 'b');
    return [scalarLike(checkScalar(a, 'a', z.dtype), z), z];
  }
  const x = checkTensor(a, 'a');
  return [x, typeof b === 'number' ? scalarLike(checkScalar(b, 'b', x.dtype), x) : checkLike(b, 'b', x)];
}

function addNumber(x: Operand, value: number, name: string): Tensor {
  const tensor = checkTensor(x, name === 'a' ? 'b' : 'a');
  const y = unary('addScalar', tensor, checkScalar(value, name, tensor.dtype));
  record('add', [tensor], [y], ([g]) => g);
  return y;
}

function mulNumber(x: Operand, value: number, name: string): Tensor {
  const tensor = checkTensor(x, name === 'a' ? 'b' : 'a');
  const y = unary('multiplyScalar', tensor, checkScalar(value, name, tensor.dtype));
  record('mul', [tensor], [y], ([g]) => unary('multiplyScalar', g!, value));
  return y;
}

function powNumber(a: Operand, exponent: number): Tensor {
  const x = checkFloatTensor(a, 'a');
  const y = unary('powerScalar', x, checkScalar(exponent, 'b', x.dtype));
  record('pow', [x], [y], ([g]) => {
    // 0 * x^-1 would be NaN at x = 0.
    if (exponent === 0) return fill(emptyLike(x), 0);
    const slope = unary('powerScalar', x, exponent - 1);
    unary('multiplyScalar', slope, exponent, slope);
    return binary('multiply', g!, slope);
  });
  return y;
}

/** b · a^(b-1), and 0 where b is 0. */
function powerByBase(a: Tensor, b: Tensor): Tensor {
  const slope = binary('multiply', b, binary('power', a, unary('addScalar', b, -1)));
  const zero = scalarLike(0, a);
  return select(binary('equal', b, zero), zero, slope);
}

/** a^b · log a, and 0 where a is 0. */
function powerByExponent(a: Tensor, y: Tensor): Tensor {
  const zero = scalarLike(0, a);
  return binary('multiply', y, select(binary('equal', a, zero), zero, unary('log', a)));
}

function extreme(op: 'maximum' | 'minimum', a: Operand, b: Operand): Tensor {
  const [x, z] = pair(a, b);
  const y = binary(op, x, z);
  record(op, [x, z], [y], ([g], sink) => {
    const share = (operand: Tensor, other: Tensor, shape: Shape) => {
      const wins = castTo(binary(op === 'maximum' ? 'greater' : 'less', operand, other), g!.dtype);
      const ties = unary('multiplyScalar', castTo(binary('equal', operand, other), g!.dtype), 0.5);
      return sumTo(binary('multiply', g!, binary('add', wins, ties)), shape);
    };
    return [sink.wants(0) ? share(x, z, x.shape) : null, sink.wants(1) ? share(z, x, z.shape) : null];
  });
  return y;
}
