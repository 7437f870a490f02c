/** Functions of one operand, element by element. */
import { record } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { checkFloatTensor, checkTensor } from './operands.js';
import { binary, unary } from './primitives.js';

/**
 * -x
 *
 * @example
 * neg(tensor([1, -2])); // [-1, 2]
 */
export function neg(x: Tensor): Tensor {
  const y = unary('negative', checkTensor(x, 'x'));
  record('neg', [x], [y], ([g]) => unary('negative', g!));
  return y;
}

/**
 * |x|, with slope 0 at 0
 *
 * @example
 * abs(tensor([1, -2])); // [1, 2]
 */
export function abs(x: Tensor): Tensor {
  const y = unary('absolute', checkTensor(x, 'x'));
  record('abs', [x], [y], ([g]) => binary('absoluteGrad', g!, x));
  return y;
}

/**
 * -1, 0 or 1; constant almost everywhere, so no gradient flows through it
 *
 * @example
 * sign(tensor([3, 0, -2])); // [1, 0, -1]
 */
export function sign(x: Tensor): Tensor {
  return unary('sign', checkTensor(x, 'x'));
}

/**
 * e^x
 *
 * @example
 * exp(tensor([0, 1])); // [1, 2.71828]
 */
export function exp(x: Tensor): Tensor {
  const y = unary('exp', checkFloatTensor(x, 'x'));
  record('exp', [x], [y], ([g]) => binary('multiply', g!, y));
  return y;
}

/**
 * The natural logarithm
 *
 * @example
 * log(tensor([1, Math.E])); // [0, 1]
 */
export function log(x: Tensor): Tensor {
  const y = unary('log', checkFloatTensor(x, 'x'));
  record('log', [x], [y], ([g]) => binary('divide', g!, x));
  return y;
}

/**
 * The square root
 *
 * @example
 * sqrt(tensor([4, 2])); // [2, 1.41421]
 */
export function sqrt(x: Tensor): Tensor {
  const y = unary('sqrt', checkFloatTensor(x, 'x'));
  record('sqrt', [x], [y], ([g]) => binary('divide', g!, unary('multiplyScalar', y, 2)));
  return y;
}

/**
 * x²
 *
 * @example
 * square(tensor([3, -2])); // [9, 4]
 */
export function square(x: Tensor): Tensor {
  const y = unary('square', checkTensor(x, 'x'));
  record('square', [x], [y], ([g]) => binary('multiply', g!, unary('multiplyScalar', x, 2)));
  return y;
}

/**
 * 1 / x
 *
 * @example
 * reciprocal(tensor([2, 4])); // [0.5, 0.25]
 */
export function reciprocal(x: Tensor): Tensor {
  const y = unary('reciprocal', checkFloatTensor(x, 'x'));
  record('reciprocal', [x], [y], ([g]) => {
    const dx = binary('multiply', g!, unary('square', y));
    return unary('negative', dx, 0, dx);
  });
  return y;
}

/**
 * 1 / (1 + e^-x)
 *
 * @example
 * sigmoid(tensor([0, 1])); // [0.5, 0.73106]
 */
export function sigmoid(x: Tensor): Tensor {
  const y = unary('sigmoid', checkFloatTensor(x, 'x'));
  record('sigmoid', [x], [y], ([g]) => binary('sigmoidGrad', g!, y));
  return y;
}

/**
 * The hyperbolic tangent
 *
 * @example
 * tanh(tensor([0, 1])); // [0, 0.76159]
 */
export function tanh(x: Tensor): Tensor {
  const y = unary('tanh', checkFloatTensor(x, 'x'));
  record('tanh', [x], [y], ([g]) => binary('tanhGrad', g!, y));
  return y;
}

/**
 * max(x, 0), with slope 0 at 0
 *
 * @example
 * relu(tensor([3, -2])); // [3, 0]
 */
export function relu(x: Tensor): Tensor {
  const y = unary('relu', checkTensor(x, 'x'));
  record('relu', [x], [y], ([g]) => binary('reluGrad', g!, x));
  return y;
}
