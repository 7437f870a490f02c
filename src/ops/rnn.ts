/** The recurrent stack as one operation: all layers, directions and steps in one call. */
import { checkBoolean, checkChoice, checkInteger, checkNumber, checkOptions } from '../check.js';
import { checkDevice, type Device } from '../device.js';
import { checkFloatDType, FLOAT_DTYPES, type FloatDType } from '../dtype.js';
import { expected, ShapeError } from '../errors.js';
import {
  ALGORITHM,
  BIAS_MODE,
  CELL,
  DTYPE_CODE,
  INPUT_MODE,
  PRECISION,
  RNN_PARAM,
  type RnnId,
} from '../native/binding.js';
import { nextSeed } from '../random.js';
import { needsGrad, record } from '../tape.js';
import { Tensor } from '../tensor.js';
import { checkIndices, checkLike, checkTensor, checkTensorShape } from './operands.js';
import { addresses, copyRegion, emptyLike, fill, whole } from './primitives.js';

export type RnnCell = keyof typeof CELL;
export type RnnInputMode = keyof typeof INPUT_MODE;
export type RnnBias = keyof typeof BIAS_MODE;
/**
 * What a stack's products are computed with: its dtype, which rounds nothing, or for float32 `'bfloat16'` (both backends), or
 * `'float16'` or `'tf32'` (CUDA).
 */
export type RnnPrecision = FloatDType | 'bfloat16' | 'float16' | 'tf32';
/**
 * Which of cuDNN's algorithms runs a stack on a GPU: the fastest for each shape, as measured on its first pass, or always the
 * same one. A CPU has no such choice.
 */
export type RnnAlgorithm = 'auto' | 'standard' | 'persistStatic' | 'persistDynamic' | 'persistStaticSmallH';
export type RnnParameter = (typeof RNN_PARAM)[number];

/** What a recurrent stack computes; `RnnDesc` of native/core/desc.h. */
export interface RnnConfig {
  cell: RnnCell;
  inputSize: number;
  hiddenSize: number;
  /** Width of the projected state of an LSTM; 0 (default): none. */
  projSize?: number;
  layers?: number;
  bidirectional?: boolean;
  inputMode?: RnnInputMode;
  bias?: RnnBias;
  /** Probability of dropping an output between layers while training. */
  dropout?: number;
  /** Limit of the LSTM's cell state; 0 (default): none. */
  clip?: number;
  dtype?: FloatDType;
  /** Of the operands of products, see {@link RnnPrecision}; default: the dtype. */
  precision?: RnnPrecision;
  /** Default `'auto'`. */
  algorithm?: RnnAlgorithm;
}

/** One matrix or bias in the flat vector of a stack's parameters: [rows, columns] from `offset`, in elements. */
export interface RnnParamEntry {
  parameter: RnnParameter;
  layer: number;
  direction: number;
  offset: number;
  rows: number;
  columns: number;
}

const CONFIG_KEYS: readonly (keyof RnnConfig)[] = [
  'cell',
  'inputSize',
  'hiddenSize',
  'projSize',
  'layers',
  'bidirectional',
  'inputMode',
  'bias',
  'dropout',
  'clip',
  'dtype',
  'precision',
  'algorithm',
];
const MAX_SIZE = 2 ** 31 - 1;
const RNN_PRECISIONS: readonly RnnPrecision[] = [...FLOAT_DTYPES, 'bfloat16', 'float16', 'tf32'];

/** A recurrent stack known to a device; made by {@link registerRnn}. */
export class RnnHandle {
  readonly device: Device;
  readonly config: Readonly<Required<RnnConfig>>;
  /** @internal */
  readonly id: RnnId;
  /** Where the device wants each matrix in the flat vector of parameters. */
  readonly entries: readonly RnnParamEntry[];
  /** Elements of that vector, gaps included. */
  readonly count: number;

  /** @internal Use {@link registerRnn}. */
  constructor(config: Readonly<Required<RnnConfig>>, device: Device) {
    this.config = config;
    this.device = device;
    this.id = device.binding.registerRnn(
      device.id,
      Float64Array.of(
        CELL[config.cell],
        config.inputSize,
        config.hiddenSize,
        config.projSize,
        config.layers,
        Number(config.bidirectional),
        INPUT_MODE[config.inputMode],
        BIAS_MODE[config.bias],
        config.dropout,
        config.clip,
        DTYPE_CODE[config.dtype],
        PRECISION[isFloatDType(config.precision) ? 'same' : config.precision],
        ALGORITHM[config.algorithm],
      ),
    );
    const [count, ...numbers] = device.binding.rnnParamLayout(this.id);
    const entries: RnnParamEntry[] = [];
    for (let i = 0; i < numbers.length; i += 6) {
      const [parameter, layer, direction, offset, rows, columns] = numbers.slice(i, i + 6);
      entries.push({ parameter: RNN_PARAM[parameter], layer, direction, offset, rows, columns });
    }
    this.count = count;
    this.entries = entries;
  }

  /** L·D, the first axis of the states. */
  get stateRows(): number {
    return this.config.layers * this.directions;
  }

  get directions(): number {
    return this.config.bidirectional ? 2 : 1;
  }

  /** Width of h in one direction: projSize, or hiddenSize without a projection. */
  get outputSize(): number {
    return this.config.projSize || this.config.hiddenSize;
  }
}

const registered = new WeakMap<Device, Map<string, RnnHandle>>();

/**
 * Makes a stack known to a device; equal configurations give the same handle.
 *
 * @throws ArgumentError for options out of range or that do not go together.
 */
export function registerRnn(config: RnnConfig, device: Device): RnnHandle {
  checkDevice(device, 'device');
  const complete = checkConfig(config);
  const { precision } = complete;
  if (device.kind === 'cpu' && (precision === 'float16' || precision === 'tf32'))
    throw expected(`'float32' or 'bfloat16' on a CPU`, 'precision', precision);
  let handles = registered.get(device);
  if (handles === undefined) {
    handles = new Map();
    registered.set(device, handles);
  }
  const key = CONFIG_KEYS.map((name) => complete[name]).join();
  let handle = handles.get(key);
  if (handle === undefined) {
    handle = new RnnHandle(complete, device);
    handles.set(key, handle);
  }
  return handle;
}

function isFloatDType(precision: RnnPrecision): precision is FloatDType {
  return (FLOAT_DTYPES as readonly string[]).includes(precision);
}

function checkConfig(config: RnnConfig): Readonly<Required<RnnConfig>> {
  checkOptions(config, 'config', CONFIG_KEYS);
  const cell = checkChoice(config.cell, 'cell', Object.keys(CELL) as RnnCell[]);
  const hiddenSize = checkInteger(config.hiddenSize, 'hiddenSize', { min: 1, max: MAX_SIZE });
  const dtype = checkFloatDType(config.dtype ?? 'float32');
  const complete: Required<RnnConfig> = {
    cell,
    hiddenSize,
    inputSize: checkInteger(config.inputSize, 'inputSize', { min: 1, max: MAX_SIZE }),
    projSize: checkInteger(config.projSize ?? 0, 'projSize', { min: 0, max: hiddenSize - 1 }),
    layers: checkInteger(config.layers ?? 1, 'layers', { min: 1, max: 4096 }),
    bidirectional: checkBoolean(config.bidirectional ?? false, 'bidirectional'),
    inputMode: checkChoice(config.inputMode ?? 'linear', 'inputMode', Object.keys(INPUT_MODE) as RnnInputMode[]),
    bias: checkChoice(config.bias ?? 'double', 'bias', Object.keys(BIAS_MODE) as RnnBias[]),
    dropout: checkNumber(config.dropout ?? 0, 'dropout', { min: 0, max: 1 }),
    clip: checkNumber(config.clip ?? 0, 'clip', { min: 0 }),
    dtype,
    precision: checkChoice(config.precision ?? dtype, 'precision', RNN_PRECISIONS),
    algorithm: checkChoice(config.algorithm ?? 'auto', 'algorithm', Object.keys(ALGORITHM) as RnnAlgorithm[]),
  };
  const { precision } = complete;
  if (precision !== dtype && (isFloatDType(precision) || dtype !== 'float32')) {
    const wanted = dtype === 'float32' ? "'float32', 'bfloat16', 'float16' or 'tf32'" : `'${dtype}'`;
    throw expected(`${wanted}, as dtype is ${dtype},`, 'precision', precision);
  }
  if (cell !== 'lstm' && complete.projSize > 0)
    throw expected('0 unless the cell is lstm', 'projSize', complete.projSize);
  if (cell !== 'lstm' && complete.clip > 0) throw expected('0 unless the cell is lstm', 'clip', complete.clip);
  if (complete.inputMode === 'skip' && complete.inputSize !== hiddenSize) {
    throw expected(`hiddenSize (${hiddenSize}), as inputMode is skip,`, 'inputSize', complete.inputSize);
  }
  return complete;
}

export interface RnnInput {
  /** [T, B, I] in the stack's dtype, or int32 [T, B]: ids 0..I-1, meaning one-hot rows. */
  x: Tensor;
  /** The flat parameters [count]. */
  params: Tensor;
  /** [L·D, B, O]; left out: zeros. */
  h0?: Tensor | null;
  /** [L·D, B, H], LSTM only; left out: zeros. */
  c0?: Tensor | null;
  /** How many of the T steps each of the B sequences has, 0 to T in any order; left out: all. */
  lengths?: readonly number[] | Int32Array | null;
  /** Whether dropout between the layers applies; default false. */
  training?: boolean;
  /** Of the dropout masks; left out, a fresh one is taken from the stream that `manualSeed` starts. */
  seed?: number;
}

export interface RnnOutput {
  /** [T, B, D·O]; zero past the length of a sequence. */
  output: Tensor;
  /** The final states [L·D, B, O]. */
  h: Tensor;
  /** The final cell states [L·D, B, H], LSTM only. */
  c?: Tensor;
}

/**
 * Runs the stack over all steps. Gradients flow to x (unless it holds ids), params, h0 and c0.
 *
 * cuDNN: cudnnRNNForward, cudnnRNNBackwardData_v8, cudnnRNNBackwardWeights_v8.
 *
 * @throws ShapeError when shapes do not fit; DeviceError when the values are read and an id is out of range.
 */
export function rnn(handle: RnnHandle, input: RnnInput): RnnOutput {
  if (!(handle instanceof RnnHandle)) throw expected('what registerRnn returns', 'handle', handle);
  checkOptions(input, 'input', ['x', 'params', 'h0', 'c0', 'lengths', 'training', 'seed']);
  const { config, device } = handle;
  const { binding } = device;
  const params = checkParams(handle, input.params);
  const { x, steps, batch } = checkInput(handle, input.x, params);
  const isLstm = config.cell === 'lstm';
  const stateShape = [handle.stateRows, batch, handle.outputSize];
  const cellShape = [handle.stateRows, batch, config.hiddenSize];
  const h0 = checkState(input.h0, 'h0', stateShape, params);
  if (!isLstm && input.c0 !== undefined && input.c0 !== null)
    throw expected('no state unless the cell is lstm', 'c0', input.c0);
  const c0 = checkState(input.c0, 'c0', cellShape, params);
  const lengths = checkLengths(input.lengths, steps, batch);
  const training = checkBoolean(input.training ?? false, 'training');
  const drops = training && config.dropout > 0 && config.layers > 1;
  const seed = checkInteger(input.seed ?? (drops ? nextSeed() : 0), 'seed', { min: 0 });

  const tokens = x.dtype === 'int32';
  const inputs = [tokens ? null : x, params, h0, c0];
  const keepsReserve = needsGrad(inputs) || drops;
  const output = emptyLike(params, [steps, batch, handle.directions * handle.outputSize]);
  const h = emptyLike(params, stateShape);
  const c = isLstm ? emptyLike(params, cellShape) : null;
  // A tensor of float64, whatever the dtype, only to hold that many bytes.
  const reserveBytes = keepsReserve ? binding.rnnReserveBytes(handle.id, steps, batch) : 0;
  const reserve = keepsReserve ? Tensor.allocate([Math.ceil(reserveBytes / 8)], 'float64', device) : null;
  binding.rnnForward(
    handle.id,
    steps,
    batch,
    lengths,
    addresses(params, tokens ? null : x, tokens ? x : null, h0, c0, output, h, c, reserve),
    drops,
    seed,
  );
  record(
    config.cell,
    inputs,
    c === null ? [output, h] : [output, h, c],
    ([dy, dh, dc = null], sink) => {
      const dx = sink.wants(0) ? emptyLike(x) : null;
      const dh0 = h0 !== null && sink.wants(2) ? emptyLike(h0) : null;
      const dc0 = c0 !== null && sink.wants(3) ? emptyLike(c0) : null;
      let dparams: Tensor | null = null;
      if (sink.wants(1)) {
        const { tensor, accumulate } = sink.into(1);
        dparams = accumulate ? tensor : fill(tensor, 0);
      }
      // The device may spoil the reserve.
      const own = sink.retainGraph ? copyOf(reserve!) : reserve;
      binding.rnnBackward(
        handle.id,
        steps,
        batch,
        lengths,
        addresses(params, tokens ? null : x, tokens ? x : null, h0, c0, output, dy, dh, dc, dx, dh0, dc0, dparams, own),
        drops,
        seed,
      );
      return [dx, null, dh0, dc0];
    },
    reserve === null ? [] : [reserve],
  );
  return c === null ? { output, h } : { output, h, c };
}

function copyOf(tensor: Tensor): Tensor {
  const copy = emptyLike(tensor);
  copyRegion(tensor.shape, whole(tensor), whole(copy));
  return copy;
}

function checkParams(handle: RnnHandle, value: Tensor): Tensor {
  const params = checkTensor(value, 'params');
  if (params.device !== handle.device)
    throw expected("a tensor on the stack's device", 'params', params.device.description);
  if (params.dtype !== handle.config.dtype)
    throw expected(`a tensor of ${handle.config.dtype}`, 'params', params.dtype);
  return checkTensorShape(params, 'params', [handle.count]);
}

function checkInput(handle: RnnHandle, value: Tensor, params: Tensor): { x: Tensor; steps: number; batch: number } {
  const x = checkTensor(value, 'x');
  const { inputSize } = handle.config;
  if (x.dtype === 'int32') {
    checkIndices(x, 'x', params);
    if (x.rank !== 2) throw expected('token ids of shape [T, B]', 'x', x.shape, ShapeError);
  } else {
    checkLike(x, 'x', params);
    if (x.rank !== 3 || x.shape[2] !== inputSize)
      throw expected(`shape [T, B, ${inputSize}]`, 'x', x.shape, ShapeError);
  }
  const [steps, batch] = x.shape;
  if (steps === 0 || batch === 0) throw expected('at least one step and one sequence', 'x', x.shape, ShapeError);
  return { x, steps, batch };
}

function checkState(value: Tensor | null | undefined, name: string, shape: number[], params: Tensor): Tensor | null {
  if (value === undefined || value === null) return null;
  return checkTensorShape(checkLike(value, name, params), name, shape);
}

function checkLengths(value: RnnInput['lengths'], steps: number, batch: number): Int32Array | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value) && !(value instanceof Int32Array)) throw expected('an array of integers', 'lengths', value);
  if (value.length !== batch)
    throw expected(`${batch} lengths, one for each sequence,`, 'lengths', value.length, ShapeError);
  for (const length of value) checkInteger(length, 'lengths', { min: 0, max: steps });
  return Int32Array.from(value);
}
