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

const operations = {
  ...{ add, sub, mul, div, pow, maximum, minimum, clamp },
  ...{ equal, notEqual, less, lessEqual, greater, greaterEqual, cast },
  ...{ neg, abs, sign, exp, log, sqrt, square, reciprocal, sigmoid, tanh, relu },
  ...{ matmul, sum, mean, max, argmax, softmax, logSoftmax },
  ...{ reshape, transpose, slice, at, split, gather, backward },
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
