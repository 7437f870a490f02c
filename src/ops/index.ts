/** Differentiable operations on tensors; each file holds forward and backward side by side. */
import './methods.js';

export { add, clamp, div, maximum, minimum, mul, type Operand, pow, sub } from './arithmetic.js';
export { cast, equal, greater, greaterEqual, less, lessEqual, notEqual, where } from './compare.js';
export {
  arange,
  type CreateOptions,
  eye,
  full,
  oneHot,
  ones,
  type RandomOptions,
  rand,
  randn,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from './create.js';
export { type DropoutOptions, dropout } from './dropout.js';
export { abs, exp, log, neg, reciprocal, relu, sigmoid, sign, sqrt, square, tanh } from './elementwise.js';
export { embedding, gather } from './gather.js';
export {
  binaryCrossEntropy,
  type CrossEntropyOptions,
  crossEntropy,
  huber,
  type LossOptions,
  l1,
  mse,
  type Reduction,
} from './losses.js';
export { linear, matmul } from './matmul.js';
export { type LayerNormOptions, layerNorm } from './normalize.js';
export { argmax, max, mean, type ReduceOptions, sum } from './reduce.js';
export { at, concat, reshape, slice, split, stack, transpose } from './shape.js';
export { logSoftmax, softmax } from './softmax.js';
