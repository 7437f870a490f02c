/** Tensors from values: constants, sequences and random numbers. */
import { checkBoolean, checkInteger, checkOptions } from '../check.js';
import { checkDevice, type Device, defaultDevice } from '../device.js';
import {
  checkDType,
  checkFloatDType,
  type DType,
  dtypeOf,
  type FloatDType,
  type NestedNumbers,
  type NumberArray,
  shapeOfNested,
  toElements,
} from '../dtype.js';
import { expected, ShapeError } from '../errors.js';
import { DTYPE_CODE, RANDOM } from '../native/binding.js';
import { nextSeed } from '../random.js';
import { checkShape, sizeOf, Tensor } from '../tensor.js';
import { checkScalar, checkTensor } from './operands.js';
import { emptyLike, fill, scatterAdd } from './primitives.js';

/** Where and how a new tensor is made; by default float32 on the default device. */
export interface CreateOptions {
  /** Type of the elements. */
  dtype?: DType;
  /** Where the tensor lies; default {@link defaultDevice}. */
  device?: Device;
  /** Whether {@link backward} computes its gradient; default false. */
  requiresGrad?: boolean;
}

export interface TensorOptions extends CreateOptions {
  /** Left out, the nesting of the data gives it; typed arrays become vectors. */
  shape?: readonly number[];
}

/** Options of {@link rand} and {@link randn}. */
export interface RandomOptions {
  /** Type of the elements; default float32. */
  dtype?: FloatDType;
  /** Where the tensor lies; default {@link defaultDevice}. */
  device?: Device;
  /** Whether {@link backward} computes its gradient; default false. */
  requiresGrad?: boolean;
  /** Left out, a fresh one is taken from the stream that `manualSeed` starts. */
  seed?: number;
}

const CREATE_OPTIONS = ['dtype', 'device', 'requiresGrad'];

/**
 * A tensor with the given values; typed arrays keep their dtype, numbers become float32.
 *
 * @throws ShapeError for ragged data or a shape of another size, ArgumentError for values that are no numbers.
 * @example
 * const x = tensor([[1, 2], [3, 4]]);
 * const ids = tensor(new Int32Array([3, 1, 4]));
 */
export function tensor(data: NestedNumbers | NumberArray, options: TensorOptions = {}): Tensor {
  checkOptions(options, 'options', [...CREATE_OPTIONS, 'shape']);
  const typed = dtypeOf(data);
  if (typed === undefined && typeof data !== 'number' && !Array.isArray(data)) {
    throw expected('numbers or a Float32Array, Float64Array or Int32Array', 'data', data);
  }
  const found = typed === undefined ? shapeOfNested(data as NestedNumbers, 'data') : [(data as NumberArray).length];
  const shape = options.shape === undefined ? found : checkShape(options.shape, 'shape');
  if (sizeOf(shape) !== sizeOf(found)) throw expected(`${sizeOf(shape)} values`, 'data', sizeOf(found), ShapeError);
  const dtype = checkDType(options.dtype ?? typed ?? 'float32');
  const elements = toElements(data, dtype, 'data');
  return create(shape, { ...options, dtype }).copyFrom(elements);
}

/**
 * A tensor of zeros.
 *
 * @example
 * zeros([2, 3], { dtype: 'float64', requiresGrad: true });
 */
export function zeros(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return full(shape, 0, options);
}

/**
 * A tensor of ones.
 *
 * @example
 * ones([2, 3]); // [[1, 1, 1], [1, 1, 1]]
 */
export function ones(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return full(shape, 1, options);
}

/**
 * A tensor that holds `value` everywhere.
 *
 * @example
 * full([2, 2], 0.5); // [[0.5, 0.5], [0.5, 0.5]]
 */
export function full(shape: readonly number[], value: number, options: CreateOptions = {}): Tensor {
  checkOptions(options, 'options', CREATE_OPTIONS);
  checkScalar(value, 'value', options.dtype ?? 'float32');
  return fill(create(shape, options), value);
}

/**
 * Zeros in the shape and dtype, and on the device, of another tensor.
 *
 * @example
 * zerosLike(tensor([1, 2])); // [0, 0]
 */
export function zerosLike(like: Tensor): Tensor {
  return fill(emptyLike(checkTensor(like, 'like')), 0);
}

/**
 * The int32 vector 0, 1, ..., count - 1; other dtypes by option.
 *
 * @example
 * arange(4); // [0, 1, 2, 3]
 */
export function arange(count: number, options: CreateOptions = {}): Tensor {
  checkInteger(count, 'count', { min: 0, max: 2 ** 31 - 1 });
  const values = Int32Array.from({ length: count }, (_, i) => i);
  return tensor(values, { ...options, dtype: options.dtype ?? 'int32' });
}

/**
 * The identity matrix [size, size].
 *
 * @example
 * eye(2); // [[1, 0], [0, 1]]
 */
export function eye(size: number, options: CreateOptions = {}): Tensor {
  checkInteger(size, 'size', { min: 0, max: 2 ** 15 });
  const values = new Float64Array(size * size);
  for (let i = 0; i < size; i++) values[i * (size + 1)] = 1;
  return tensor(values, { ...options, shape: [size, size], dtype: options.dtype ?? 'float32' });
}

/**
 * Numbers uniform in [0, 1).
 *
 * @example
 * rand([2, 3], { seed: 1 });
 */
export function rand(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return random(RANDOM.uniform, shape, options);
}

/**
 * Numbers from the normal distribution with mean 0 and deviation 1.
 *
 * @example
 * randn([2, 3], { seed: 1 });
 */
export function randn(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return random(RANDOM.normal, shape, options);
}

/**
 * Rows of zeros with a one at each index: int32 [...] to [..., classes].
 *
 * @throws DeviceError when the values are read and an index lies outside 0..classes - 1.
 * @example
 * oneHot(tensor([2, 0], { dtype: 'int32' }), 3); // [[0, 0, 1], [1, 0, 0]]
 */
export function oneHot(indices: Tensor, classes: number, options: { dtype?: DType } = {}): Tensor {
  checkTensor(indices, 'indices');
  if (indices.dtype !== 'int32') throw expected('an int32 tensor', 'indices', indices.dtype);
  checkInteger(classes, 'classes', { min: 1, max: 2 ** 31 - 1 });
  checkOptions(options, 'options', ['dtype']);
  const dtype = checkDType(options.dtype ?? 'float32');
  const result = fill(emptyLike(indices, [...indices.shape, classes], dtype), 0);
  using source = fill(emptyLike(indices, indices.shape, dtype), 1);
  const sizes = { outer: indices.size, axis: classes, count: 1, inner: 1, indexStrides: [1, 0, 0] } as const;
  scatterAdd(sizes, source, indices, result);
  return result;
}

function create(shape: readonly number[], options: CreateOptions): Tensor {
  const dtype = checkDType(options.dtype ?? 'float32');
  const requiresGrad = checkBoolean(options.requiresGrad ?? false, 'requiresGrad');
  if (requiresGrad) checkFloatDType(dtype);
  const device = options.device === undefined ? defaultDevice() : checkDevice(options.device, 'device');
  const made = Tensor.allocate(checkShape(shape, 'shape'), dtype, device);
  made.requiresGrad = requiresGrad;
  return made;
}

function random(kind: number, shape: readonly number[], options: RandomOptions): Tensor {
  checkOptions(options, 'options', [...CREATE_OPTIONS, 'seed']);
  checkFloatDType(options.dtype ?? 'float32');
  const seed = checkInteger(options.seed ?? nextSeed(), 'seed', { min: 0 });
  return fillRandom(create(shape, options), kind, seed, 0, 1);
}

/** Overwrites a tensor with random numbers; `a` and `b` as in `RandomKind` of native/core/desc.h. */
export function fillRandom(target: Tensor, kind: number, seed: number, a: number, b: number): Tensor {
  const { binding } = target.device;
  const code = DTYPE_CODE[target.dtype];
  if (target.size > 0) binding.random(kind, code, target.size, seed, 0, a, b, target.handle, target.offset);
  return target;
}
