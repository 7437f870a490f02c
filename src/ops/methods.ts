/** Operations as methods of Tensor: `a.add(b)` is `add(a, b)`. */
import { backward } from '../tape.js';
import { Tensor } from '../tensor.js';
import { add, clamp, div, maximum, minimum, mul, pow, sub } from './arithmetic.js';
import { cast, equal, greater, greaterEqual, less, lessEqual, notEqual } from './compare.js';
import { abs, exp, log, neg, reciprocal, relu, sigmoid, sign, sqrt, square, tanh } from './elementwise.js';
import { gather } from './gather.js';
import { matmul } from './matmul.js';
import { argmax, max, mean, sum } from './reduce.js';
import { at, reshape, slice, split, transpose } from './shape.js';
import { logSoftmax, softmax } from './softmax.js';

// The comments are what editors show for the methods.
const operations = {
  /** The sum with another tensor, broadcast, or a number; {@link add}. */
  add,
  /** The difference to another tensor, broadcast, or a number; {@link sub}. */
  sub,
  /** The product, element by element, with another tensor, broadcast, or a number; {@link mul}. */
  mul,
  /** The quotient, element by element, by another tensor, broadcast, or a number; {@link div}. */
  div,
  /** Each element to the power of another tensor's, broadcast, or of a number; {@link pow}. */
  pow,
  /** The larger of each two elements; {@link maximum}. */
  maximum,
  /** The smaller of each two elements; {@link minimum}. */
  minimum,
  /** Each element, limited to low..high; {@link clamp}. */
  clamp,
  /** 1 where the elements are equal, else 0; {@link equal}. */
  equal,
  /** 1 where the elements differ, else 0; {@link notEqual}. */
  notEqual,
  /** 1 where this is less than the other, else 0; {@link less}. */
  less,
  /** 1 where this is at most the other, else 0; {@link lessEqual}. */
  lessEqual,
  /** 1 where this is greater than the other, else 0; {@link greater}. */
  greater,
  /** 1 where this is at least the other, else 0; {@link greaterEqual}. */
  greaterEqual,
  /** The elements in another dtype; {@link cast}. */
  cast,
  /** -x; {@link neg}. */
  neg,
  /** |x|; {@link abs}. */
  abs,
  /** -1, 0 or 1; {@link sign}. */
  sign,
  /** e to the power of x; {@link exp}. */
  exp,
  /** The natural logarithm; {@link log}. */
  log,
  /** The square root; {@link sqrt}. */
  sqrt,
  /** x²; {@link square}. */
  square,
  /** 1 / x; {@link reciprocal}. */
  reciprocal,
  /** 1 / (1 + exp(-x)); {@link sigmoid}. */
  sigmoid,
  /** The hyperbolic tangent; {@link tanh}. */
  tanh,
  /** max(x, 0); {@link relu}. */
  relu,
  /** The matrix product with another tensor; {@link matmul}. */
  matmul,
  /** The sum over all elements or along axes; {@link sum}. */
  sum,
  /** The mean over all elements or along axes; {@link mean}. */
  mean,
  /** The largest of all elements or along an axis; {@link max}. */
  max,
  /** The index of the largest of all elements or along an axis; {@link argmax}. */
  argmax,
  /** Exponentials that add up to 1 along an axis; {@link softmax}. */
  softmax,
  /** The logarithm of the softmax along an axis; {@link logSoftmax}. */
  logSoftmax,
  /** The same elements in another shape; {@link reshape}. */
  reshape,
  /** The axes in another order, by default the last two swapped; {@link transpose}. */
  transpose,
  /** The entries from one position to before another along an axis; {@link slice}. */
  slice,
  /** The entry at a position of the first axis, without that axis; {@link at}. */
  at,
  /** Consecutive parts of the given lengths along an axis; {@link split}. */
  split,
  /** The entries at the given positions along an axis; {@link gather}. */
  gather,
  /** Gradients of this with respect to everything it was computed from; {@link backward}. */
  backward,
};

type Operations = typeof operations;

/** Each operation without its first argument. */
type Methods = {
  [Name in keyof Operations]: Operations[Name] extends (x: Tensor, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never;
};

declare module '../tensor.js' {
  interface Tensor extends Methods {}
}

for (const [name, operation] of Object.entries(operations)) {
  const call = operation as (x: Tensor, ...rest: unknown[]) => unknown;
  Object.defineProperty(Tensor.prototype, name, {
    configurable: true,
    writable: true,
    value(this: Tensor, ...rest: unknown[]) {
      return call(this, ...rest);
    },
  });
}
