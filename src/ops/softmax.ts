/** Softmax and its logarithm. */
import { DTYPE_CODE } from '../native/binding.js';
import { record } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { checkAxis } from './layout.js';
import { checkFloatTensor } from './operands.js';
import { emptyLike } from './primitives.js';
import { axisToEnd, transpose } from './shape.js';

/**
 * exp(x) / Σ exp(x) along an axis, by default the last; safe from overflow.
 *
 * @example
 * softmax(zeros([4])); // [0.25, 0.25, 0.25, 0.25]
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  return alongAxis('softmax', x, axis, false);
}

/**
 * x - log Σ exp(x) along an axis, by default the last; safe from overflow.
 *
 * @example
 * logSoftmax(zeros([2])); // [-0.69315, -0.69315]
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return alongAxis('logSoftmax', x, axis, true);
}

function alongAxis(name: string, x: Tensor, axis: number, log: boolean): Tensor {
  checkFloatTensor(x, 'x');
  const along = checkAxis(axis, x.rank);
  if (along === x.rank - 1) return alongRows(name, x, log);
  const { moved, back } = axisToEnd(x, along);
  return transpose(alongRows(name, moved, log), back);
}

function alongRows(name: string, x: Tensor, log: boolean): Tensor {
  const y = emptyLike(x);
  if (x.size === 0) return y;
  const { binding } = x.device;
  const code = DTYPE_CODE[x.dtype];
  const columns = x.shape[x.rank - 1];
  const rows = x.size / columns;
  binding.softmax(code, rows, columns, log, x.handle, x.offset, y.handle, y.offset);
  record(name, [x], [y], ([g]) => {
    const dy = g!;
    const dx = emptyLike(x);
    binding.softmaxBackward(code, rows, columns, log, y.handle, y.offset, dy.handle, dy.offset, dx.handle, dx.offset);
    return dx;
  });
  return y;
}
