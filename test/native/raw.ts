/** What the tests of the raw binding share: a CPU device with typed shorthands, and the place of the addon for children. */
import { BIAS_MODE, CELL, type DeviceId, type Handle, INPUT_MODE, PRECISION } from '../../src/native/binding.js';
import { load } from '../../src/native/load.js';

export const { binding, path: addonPath } = load();

export const F32 = 0;
export const F64 = 1;
export const I32 = 2;

/** A buffer that holds these values. */
export function upload(device: DeviceId, values: Float32Array | Float64Array | Int32Array): Handle {
  const buffer = binding.alloc(device, values.byteLength);
  binding.write(buffer, 0, values);
  return buffer;
}

export async function floats(buffer: Handle, count: number, offset = 0): Promise<number[]> {
  const target = new Float32Array(count);
  await binding.read(buffer, offset * 4, target);
  return [...target];
}

/** [rank, shape…, strides of each operand…]. */
export function layout(shape: number[], ...strides: number[][]): Float64Array {
  return Float64Array.from([shape.length, ...shape, ...strides.flat()]);
}

export interface StackOptions {
  cell?: number;
  inputSize?: number;
  hiddenSize?: number;
  projSize?: number;
  layers?: number;
  bidirectional?: number;
  dropout?: number;
  dtype?: number;
}

/** The numbers of `registerRnn`: an LSTM of 3 inputs and 4 hidden units unless told otherwise. */
export function stack(options: StackOptions = {}): Float64Array {
  const { cell = CELL.lstm, inputSize = 3, hiddenSize = 4, projSize = 0, layers = 1 } = options;
  const { bidirectional = 0, dropout = 0, dtype = F32 } = options;
  const fixed = [INPUT_MODE.linear, BIAS_MODE.double, dropout, 0, dtype, PRECISION.same, 0];
  return Float64Array.from([cell, inputSize, hiddenSize, projSize, layers, bidirectional, ...fixed]);
}

/** The message of what `call` throws; fails the test when it throws nothing. */
export function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected the call to throw');
}
