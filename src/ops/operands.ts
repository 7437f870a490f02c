/** Checks of operands: what every operation asks before anything is pushed. */
import { checkInteger, checkNumber } from '../check.js';
import { type DType, isFloat } from '../dtype.js';
import { expected, ShapeError } from '../errors.js';
import { Tensor } from '../tensor.js';
import { type Shape, sameShape } from './layout.js';

/** @throws ArgumentError unless `value` is a tensor, FreedError when it was freed, DeviceError when its device was closed. */
export function checkTensor(value: unknown, name: string): Tensor {
  if (!(value instanceof Tensor)) throw expected('a tensor', name, value);
  value.checkAlive();
  return value;
}

/** {@link checkTensor} for a float32 or float64 tensor. */
export function checkFloatTensor(value: unknown, name: string): Tensor {
  const tensor = checkTensor(value, name);
  if (!isFloat(tensor.dtype)) throw expected('a float32 or float64 tensor (use cast)', name, tensor.dtype);
  return tensor;
}

/** {@link checkTensor} for an int32 tensor on the device of `like`. */
export function checkIndices(value: unknown, name: string, like: Tensor): Tensor {
  const tensor = checkTensor(value, name);
  if (tensor.dtype !== 'int32') throw expected('an int32 tensor', name, tensor.dtype);
  checkSameDevice(tensor, name, like);
  return tensor;
}

/** {@link checkTensor} for a tensor with the dtype and device of `like`. */
export function checkLike(value: unknown, name: string, like: Tensor): Tensor {
  const tensor = checkTensor(value, name);
  if (tensor.dtype !== like.dtype) throw expected(`a tensor of ${like.dtype} (use cast)`, name, tensor.dtype);
  checkSameDevice(tensor, name, like);
  return tensor;
}

/** @throws ShapeError unless the tensor has this shape. */
export function checkTensorShape(tensor: Tensor, name: string, shape: Shape): Tensor {
  if (!sameShape(tensor.shape, shape)) throw expected(`shape [${shape.join(', ')}]`, name, tensor.shape, ShapeError);
  return tensor;
}

/** A number that an element of `dtype` can hold. Infinities and NaN are values like others. */
export function checkScalar(value: unknown, name: string, dtype: DType): number {
  if (dtype === 'int32') return checkInteger(value, name, { min: -(2 ** 31), max: 2 ** 31 - 1 });
  if (typeof value === 'number') return value;
  throw expected('a tensor or a number', name, value);
}

/** A probability from 0 to 1. */
export function checkProbability(value: unknown, name: string): number {
  return checkNumber(value, name, { min: 0, max: 1 });
}

function checkSameDevice(tensor: Tensor, name: string, like: Tensor): void {
  if (tensor.device !== like.device) {
    throw expected('a tensor on the same device as the others', name, `one on another (${tensor.device.description})`);
  }
}
