import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../src/errors.js';
import {
  decodeSafetensors,
  encodeSafetensors,
  type HostTensor,
  readSafetensors,
  type StateDict,
  writeSafetensors,
} from '../../src/io/safetensors.js';

/** A file from a header text (or object) and its data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(), length?: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

const shapes = fc.array(fc.nat(4), { maxLength: 3 });
const hostTensor: fc.Arbitrary<HostTensor> = fc
  .tuple(shapes, fc.constantFrom('float32', 'float64', 'int32'))
  .chain(([shape, dtype]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const options = { minLength: size, maxLength: size };
    if (dtype === 'float32') return fc.float32Array(options).map((data) => ({ dtype, shape, data }) as HostTensor);
    if (dtype === 'float64') return fc.float64Array(options).map((data) => ({ dtype, shape, data }) as HostTensor);
    return fc.int32Array(options).map((data) => ({ dtype, shape, data }) as HostTensor);
  });
const stateDict = fc
  .dictionary(
    fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
    hostTensor,
  )
  .map((entries): StateDict => new Map(Object.entries(entries)));

describe('safetensors', () => {
  it('reads what it wrote, bit for bit', () => {
    fc.assert(
      fc.property(stateDict, fc.dictionary(fc.string(), fc.string()), (tensors, metadata) => {
        const decoded = decodeSafetensors(encodeSafetensors(tensors, metadata));
        expect(new Set(decoded.tensors.keys())).toEqual(new Set(tensors.keys()));
        for (const [name, { dtype, shape, data }] of tensors) {
          const read = decoded.tensors.get(name)!;
          expect(read.dtype).toBe(dtype);
          expect(read.shape).toEqual(shape);
          expect(Buffer.from(read.data.buffer)).toEqual(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
        }
        expect(Object.entries(decoded.metadata).sort()).toEqual(Object.entries(metadata).sort());
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('throws nothing but ArgumentError on damaged files', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(stateDict, damage, fc.nat(40), (tensors, changes, cut) => {
        const bytes = encodeSafetensors(tensors, { format: 'pt' });
        for (const [position, value] of changes) bytes[position % bytes.length] = value;
        try {
          decodeSafetensors(bytes.subarray(0, Math.max(0, bytes.length - cut)));
        } catch (error) {
          expect(error).toBeInstanceOf(ArgumentError);
        }
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('throws nothing but ArgumentError on arbitrary headers', () => {
    fc.assert(
      fc.property(fc.json(), fc.uint8Array({ maxLength: 16 }), (header, data) => {
        try {
          decodeSafetensors(file(header, data));
        } catch (error) {
          expect(error).toBeInstanceOf(ArgumentError);
        }
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('pads the header to 8 bytes and aligns float64 data', () => {
    const bytes = encodeSafetensors(
      new Map<string, HostTensor>([
        ['a', { dtype: 'float32', shape: [1], data: Float32Array.of(1) }],
        ['b', { dtype: 'float64', shape: [1], data: Float64Array.of(2) }],
      ]),
    );
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header).toEqual({ b: entry('F64', [1], 0, 8), a: entry('F32', [1], 8, 12) });
  });

  it('reads half precision, bfloat16 and 64-bit integers', () => {
    const data = new Uint8Array(8 + 8 + 16);
    new Uint16Array(data.buffer, 0, 4).set([0x3c00, 0xc248, 0x0001, 0x7c00]);
    new Uint16Array(data.buffer, 8, 4).set([0x3f80, 0xc049, 0x0001, 0xff80]);
    new BigInt64Array(data.buffer, 16).set([-5n, 2147483647n]);
    const { tensors } = decodeSafetensors(
      file(
        { half: entry('F16', [4], 0, 8), brain: entry('BF16', [2, 2], 8, 16), long: entry('I64', [2], 16, 32) },
        data,
      ),
    );
    expect(tensors.get('half')).toEqual({
      dtype: 'float32',
      shape: [4],
      data: Float32Array.of(1, -3.140625, 2 ** -24, Infinity),
    });
    expect(tensors.get('brain')!.data).toEqual(Float32Array.of(1, -3.140625, 2 ** -133, -Infinity));
    expect(tensors.get('long')).toEqual({ dtype: 'int32', shape: [2], data: Int32Array.of(-5, 2147483647) });
  });

  const pair = new Uint8Array(8);
  const wide = new Uint8Array(new BigInt64Array([2147483648n]).buffer);
  it.each<[string, Uint8Array, string]>([
    ['too short', new Uint8Array(7), 'Expected at least 8 bytes for a safetensors file but received 7'],
    ['a huge header', file('{}', undefined, 100_000_001), 'Expected at most 100000000 bytes for the header length'],
    ['a header past the end', file('{}', undefined, 3), 'Expected at most 2 bytes for the header length'],
    ['no JSON', file('{"a":'), 'Expected UTF-8 JSON for the header'],
    ['bad UTF-8', file('{}', Uint8Array.of(0xff), 3), 'Expected UTF-8 JSON for the header'],
    ['an array', file([]), 'Expected a JSON object for the header'],
    ['a repeated name', file('{"a":{},"\\u0061":{}}'), 'Expected every name once for the header but received "a"'],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), 'Expected an object of strings for __metadata__'],
    ['an unknown dtype', file({ a: entry('U7', [], 0, 0) }), 'Expected F32, F64, I32, F16, BF16, I64 for the dtype'],
    ['a null entry', file({ a: null }), 'for the dtype of "a" but received undefined'],
    ['a negative dimension', file({ a: entry('F32', [-1], 0, 0) }), 'non-negative integers for the shape of "a"'],
    ['a fractional offset', file({ a: entry('F32', [1], 0.5, 4.5) }, pair), 'two non-negative integers'],
    ['a reversed range', file({ a: entry('F32', [1], 4, 0) }, pair), 'an ordered range within 8 bytes'],
    ['a range past the end', file({ a: entry('F32', [3], 0, 12) }, pair), 'an ordered range within 8 bytes'],
    ['a wrong size', file({ a: entry('F32', [3], 0, 8) }, pair), 'Expected 12 bytes for F32 of shape [3]'],
    ['a gigantic size', file({ a: entry('F32', [2 ** 40, 2 ** 40], 0, 8) }, pair), 'Expected 4.8'],
    [
      'an overlap',
      file({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 0, 4) }, new Uint8Array(4)),
      'Expected offset 4, without overlap or hole, for tensor "b" but received 0',
    ],
    ['a hole', file({ a: entry('F32', [1], 4, 8) }, pair), 'Expected offset 0, without overlap or hole,'],
    ['bytes left over', file({ a: entry('F32', [1], 0, 4) }, pair), 'Expected 4 bytes for the data after the header'],
    ['large integers', file({ a: entry('I64', [1], 0, 8) }, wide), 'Expected integers of 32 bits for tensor "a"'],
  ])('rejects %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(ArgumentError);
    expect(() => decodeSafetensors(bytes)).toThrow(message);
  });

  it('rejects tensors that it could not write', () => {
    const data = Float32Array.of(1, 2);
    const encode = (name: string, tensor: HostTensor) => () => encodeSafetensors(new Map([[name, tensor]]));
    expect(encode('a', { dtype: 'float32', shape: [3], data })).toThrow(ShapeError);
    expect(encode('a', { dtype: 'float64', shape: [2], data })).toThrow(ShapeError);
    expect(encode('__metadata__', { dtype: 'float32', shape: [2], data })).toThrow(ArgumentError);
    expect(encode('a', { dtype: 'bool' as 'int32', shape: [2], data })).toThrow('float32, float64 or int32');
    expect(() => encodeSafetensors(new Map(), { count: 3 as unknown as string })).toThrow('a string for metadata');
  });

  it('writes files whole and names the file when reading fails', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
    try {
      const path = join(folder, 'a.safetensors');
      const tensors: StateDict = new Map([['a', { dtype: 'int32', shape: [2], data: Int32Array.of(7, -8) }]]);
      await writeSafetensors(path, tensors, { format: 'pt' });
      expect(await readSafetensors(path)).toEqual({ tensors, metadata: { format: 'pt' } });
      await expect(writeSafetensors(path, new Map([['__metadata__', tensors.get('a')!]]))).rejects.toThrow();
      expect(await readdir(folder)).toEqual(['a.safetensors']);
      await expect(readSafetensors(import.meta.filename)).rejects.toThrow(`${import.meta.filename}: Expected at most`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
