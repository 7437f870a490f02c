/**
 * Files that other systems read: safetensors, the format in which weights are exchanged with PyTorch.
 *
 * A file is a little-endian uint64 header length, a JSON header `{ name: { dtype, shape, data_offsets } }` padded with
 * spaces, and the tensors' bytes without holes. Source: https://github.com/huggingface/safetensors#format.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { DType } from '../dtype.js';
import { ArgumentError, describe, expected, ShapeError } from '../errors.js';

/** A tensor's values on the host, row-major. */
export interface HostTensor {
  /** Type of the elements. */
  dtype: DType;
  /** Size of each dimension. */
  shape: readonly number[];
  /** Elements in row-major order. */
  data: Float32Array | Float64Array | Int32Array;
}

/** Values by name, such as a module's parameters or an optimizer's state. */
export type StateDict = Map<string, HostTensor>;

/** The contents of a safetensors file. */
export interface SafetensorsFile {
  /** Tensors by name. */
  tensors: StateDict;
  /** Strings of the header's `__metadata__` entry. */
  metadata: Record<string, string>;
}

const METADATA = '__metadata__';
const MAXIMUM_HEADER = 100_000_000;
const WRITTEN_NAME = { float32: 'F32', float64: 'F64', int32: 'I32' } as const;

interface Encoding {
  dtype: DType;
  bytes: number;
  read(bytes: ArrayBuffer, count: number, name: string): HostTensor['data'];
}

const ENCODINGS: Record<string, Encoding> = {
  F32: { dtype: 'float32', bytes: 4, read: (bytes) => new Float32Array(bytes) },
  F64: { dtype: 'float64', bytes: 8, read: (bytes) => new Float64Array(bytes) },
  I32: { dtype: 'int32', bytes: 4, read: (bytes) => new Int32Array(bytes) },
  F16: { dtype: 'float32', bytes: 2, read: (bytes) => Float32Array.from(new Uint16Array(bytes), fromFloat16) },
  BF16: { dtype: 'float32', bytes: 2, read: fromBfloat16 },
  I64: { dtype: 'int32', bytes: 8, read: fromInt64 },
};

function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function fromBfloat16(bytes: ArrayBuffer, count: number): Float32Array {
  const halves = new Uint16Array(bytes);
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

function fromInt64(bytes: ArrayBuffer, _count: number, name: string): Int32Array {
  return Int32Array.from(new BigInt64Array(bytes), (value) => {
    if (BigInt.asIntN(32, value) !== value) throw expected('integers of 32 bits', `tensor "${name}"`, value);
    return Number(value);
  });
}

/**
 * The bytes of a safetensors file: 8-byte tensors first, so that every tensor is aligned, else in the order given.
 *
 * @throws ShapeError when a tensor's data does not have the length of its shape.
 * @throws ArgumentError when a name is `__metadata__`, a dtype is unknown or metadata is not a string.
 * @example
 * const data = Float32Array.of(1, 2);
 * const bytes = encodeSafetensors(new Map([['bias', { dtype: 'float32', shape: [2], data }]]));
 */
export function encodeSafetensors(tensors: StateDict, metadata: Record<string, string> = {}): Uint8Array {
  for (const [key, value] of Object.entries(metadata))
    if (typeof value !== 'string') throw expected('a string', `metadata "${key}"`, value);
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : [];
  const entries = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  let end = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (name === METADATA) throw expected('any other string', 'a tensor name', name);
    const encoding = ENCODINGS[WRITTEN_NAME[dtype]];
    if (!encoding) throw expected('float32, float64 or int32', `the dtype of "${name}"`, dtype);
    const length = shape.reduce((product, dimension) => product * dimension, 1);
    if (data.length !== length || data.BYTES_PER_ELEMENT !== encoding.bytes)
      throw expected(`${length} ${dtype} values of shape [${shape}]`, `tensor "${name}"`, data, ShapeError);
    const begin = end;
    end += data.byteLength;
    header.push([name, { dtype: WRITTEN_NAME[dtype], shape, data_offsets: [begin, end] }]);
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerLength = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(text, 8);
  let position = 8 + headerLength;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/**
 * The tensors and metadata in the bytes of a safetensors file. F32, F64 and I32 are read as they are, F16 and BF16 become
 * float32, I64 becomes int32.
 *
 * @throws ArgumentError naming the defect when the bytes are not a valid file, or hold another dtype or larger integers.
 * @example
 * const { tensors, metadata } = decodeSafetensors(encodeSafetensors(new Map(), { format: 'pt' }));
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  const header = parseHeader(bytes);
  const start = 8 + header.length;
  const total = bytes.length - start;
  let metadata: Record<string, string> = {};
  const entries: { name: string; encoding: Encoding; shape: number[]; begin: number; end: number }[] = [];
  for (const [name, value] of Object.entries(header.json)) {
    if (name === METADATA) metadata = checkMetadata(value);
    else entries.push({ name, ...checkEntry(name, value, total) });
  }
  checkHoles(entries, total);
  const tensors: StateDict = new Map();
  for (const { name, encoding, shape, begin, end } of entries) {
    // A copy, since the file may place tensors at odd addresses.
    const copy = new Uint8Array(bytes.subarray(start + begin, start + end));
    const data = encoding.read(copy.buffer, (end - begin) / encoding.bytes, name);
    tensors.set(name, { dtype: encoding.dtype, shape, data });
  }
  return { tensors, metadata };
}

/**
 * Reads a safetensors file.
 *
 * @throws ArgumentError when it is not a valid file; the file system's error when it can't be read.
 * @example
 * await writeSafetensors('empty.safetensors', new Map());
 * const { tensors } = await readSafetensors('empty.safetensors');
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const bytes = await readFile(path);
  try {
    return decodeSafetensors(bytes);
  } catch (error) {
    throw new ArgumentError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Writes a safetensors file; an interrupted write leaves an older file of that name whole.
 *
 * @throws ArgumentError as {@link encodeSafetensors}; the file system's error when it can't be written.
 * @example
 * await writeSafetensors('empty.safetensors', new Map(), { comment: 'no tensors' });
 */
export async function writeSafetensors(
  path: string,
  tensors: StateDict,
  metadata: Record<string, string> = {},
): Promise<void> {
  const temporary = `${path}.${process.pid}.partial`;
  try {
    await writeFile(temporary, encodeSafetensors(tensors, metadata));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function parseHeader(bytes: Uint8Array): { json: object; length: number } {
  if (bytes.length < 8) throw expected('at least 8 bytes', 'a safetensors file', bytes.length);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > MAXIMUM_HEADER) throw expected(`at most ${MAXIMUM_HEADER} bytes`, 'the header length', length);
  if (length > bytes.length - 8) throw expected(`at most ${bytes.length - 8} bytes`, 'the header length', length);
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, 8 + length));
    json = JSON.parse(text);
  } catch (error) {
    throw expected('UTF-8 JSON', 'the header', (error as Error).message);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw expected('a JSON object', 'the header', json);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw expected('every name once', 'the header', repeated);
  return { json, length };
}

/** The first key that occurs twice in one object of a valid JSON text: JSON.parse would silently keep the last. */
function repeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, , colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (colon) {
      const key = JSON.parse(token.slice(0, token.length - colon.length));
      const keys = open[open.length - 1];
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function checkMetadata(value: unknown): Record<string, string> {
  const valid =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((item) => typeof item === 'string');
  if (!valid) throw expected('an object of strings', METADATA, value);
  return value as Record<string, string>;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function checkEntry(name: string, value: unknown, total: number) {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const encoding = typeof dtype === 'string' && Object.hasOwn(ENCODINGS, dtype) ? ENCODINGS[dtype] : undefined;
  if (!encoding) throw expected(Object.keys(ENCODINGS).join(', '), `the dtype of "${name}"`, dtype);
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw expected('an array of non-negative integers', `the shape of "${name}"`, shape);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw expected('two non-negative integers', `the data_offsets of "${name}"`, offsets);
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > total)
    throw expected(`an ordered range within ${total} bytes`, `the data_offsets of "${name}"`, offsets);
  const size = shape.reduce((product, dimension) => product * dimension, encoding.bytes);
  if (size !== end - begin)
    throw expected(`${size} bytes for ${dtype} of shape ${describe(shape)}`, `tensor "${name}"`, end - begin);
  return { encoding, shape: shape as number[], begin, end };
}

function checkHoles(entries: { name: string; begin: number; end: number }[], total: number): void {
  let position = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== position) throw expected(`offset ${position}, without overlap or hole,`, `tensor "${name}"`, begin);
    position = end;
  }
  if (position !== total) throw expected(`${position} bytes`, 'the data after the header', total);
}
