/** Layer normalisation. */
import { checkNumber, checkOptions } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { add, div, mul, sub } from './arithmetic.js';
import { sqrt, square } from './elementwise.js';
import { checkFloatTensor, checkLike, checkTensorShape } from './operands.js';
import { mean } from './reduce.js';

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** Scale of each element of the last axis; left out: 1. */
  weight?: Tensor;
  /** Shift of each element of the last axis; left out: 0. */
  bias?: Tensor;
  /** Added to the variance; default 1e-5. */
  epsilon?: number;
}

/**
 * (x - mean) / sqrt(variance + epsilon) · weight + bias over the last axis, with the biased variance.
 *
 * Source: Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450.
 *
 * @throws ShapeError when weight or bias do not fit the last axis.
 * @example
 * layerNorm(randn([5, 8]), { weight: ones([8]), bias: zeros([8]) }); // [5, 8]
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  checkFloatTensor(x, 'x');
  checkOptions(options, 'options', ['weight', 'bias', 'epsilon']);
  const epsilon = checkNumber(options.epsilon ?? 1e-5, 'epsilon', { min: 0 });
  if (x.rank === 0) throw expected('at least one axis', 'x', x.shape, ShapeError);
  const { weight, bias } = options;
  const size = [x.shape[x.rank - 1]];
  if (weight !== undefined) checkTensorShape(checkLike(weight, 'weight', x), 'weight', size);
  if (bias !== undefined) checkTensorShape(checkLike(bias, 'bias', x), 'bias', size);
  const centered = sub(x, mean(x, -1, { keepDims: true }));
  const variance = mean(square(centered), -1, { keepDims: true });
  let y = div(centered, sqrt(add(variance, epsilon)));
  if (weight !== undefined) y = mul(y, weight);
  return bias === undefined ? y : add(y, bias);
}
