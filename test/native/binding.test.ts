import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BINARY, CELL, type DeviceId, RANDOM, REDUCE, UNARY } from '../../src/native/binding.js';
import { binding, F32, F64, floats, I32, layout, messageOf, stack, upload } from './raw.js';

let device: DeviceId;
beforeEach(() => {
  device = binding.openDevice(0, 2, 0);
});
afterEach(() => binding.closeDevice(device));

const bytesOf = (id: DeviceId) => [...binding.deviceStatistics(id)].slice(0, 3);

describe('devices', () => {
  it('describes itself', () => {
    expect(binding.describeDevice(device)).toMatch(/^CPU, \w+, 2 threads$/);
    expect(binding.deviceStatistics(device)[4]).toBe(2);
  });

  it('closes twice, and says so when used afterwards', () => {
    binding.closeDevice(device);
    binding.closeDevice(device);
    expect(() => binding.describeDevice(device)).toThrow(`device ${device} is closed`);
    expect(() => binding.alloc(device, 4)).toThrow(`device ${device} is closed`);
    expect(() => binding.clearError(device)).toThrow(`device ${device} is closed`);
    expect(() => binding.closeDevice(123456)).toThrow('Expected a device for closeDevice device but received 123456');
  });

  it('kills the buffers and stacks of a closed device', () => {
    const buffer = binding.alloc(device, 16);
    const rnn = binding.registerRnn(device, stack());
    binding.closeDevice(device);
    expect(() => binding.free(buffer)).toThrow('Expected the handle of a live buffer for free buffer');
    expect(() => binding.rnnParamLayout(rnn)).toThrow(`the device of RNN ${rnn} is closed`);
  });

  it('rejects pending reads when closed in use', async () => {
    const buffer = upload(device, new Float32Array(1 << 20));
    for (let i = 0; i < 200; i++) binding.unary(UNARY.exp, F32, 1 << 20, 0, buffer, 0, buffer, 0);
    const read = binding.read(buffer, 0, new Float32Array(4));
    const synchronized = binding.synchronize(device);
    binding.closeDevice(device);
    const outcomes = await Promise.allSettled([read, synchronized]);
    const reasons = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.message : 'resolved'));
    expect(reasons).toEqual(['the device was closed', 'the device was closed']);
  });

  it('keeps devices apart', () => {
    const other = binding.openDevice(0, 1, 0);
    const mine = binding.alloc(device, 16);
    const theirs = binding.alloc(other, 16);
    expect(messageOf(() => binding.unary(UNARY.exp, F32, 4, 0, mine, 0, theirs, 0))).toBe(
      'Expected a buffer of the same device for unary y but received one of another device',
    );
    binding.closeDevice(other);
  });
});

describe('memory', () => {
  it('keeps exact books', async () => {
    const a = binding.alloc(device, 1000);
    const b = binding.alloc(device, 24);
    expect(bytesOf(device)).toEqual([1024, 2, 1024]);
    binding.free(a);
    expect(bytesOf(device)).toEqual([24, 1, 1024]);
    binding.free(b);
    expect(bytesOf(device)).toEqual([0, 0, 1024]);
    await binding.synchronize(device);
    // 1000 bytes take a block of 1024, 24 bytes one of 256, and the cache keeps both.
    expect(binding.deviceStatistics(device)[3]).toBe(1280);
  });

  it('reuses freed memory', async () => {
    for (let i = 0; i < 1000; i++) {
      const buffer = binding.alloc(device, 1 << 20);
      binding.fill(F32, buffer, 0, 1 << 18, i);
      binding.free(buffer);
    }
    await binding.synchronize(device);
    expect(binding.deviceStatistics(device)[3]).toBe(1 << 20);
  });

  it('refuses to pass the limit, at once and without harm', () => {
    const limited = binding.openDevice(0, 1, 1000);
    const buffer = binding.alloc(limited, 600);
    expect(() => binding.alloc(limited, 401)).toThrow('out of memory: needed 401 bytes, 600 in use, limit 1000');
    expect(() => binding.alloc(limited, 2 ** 53 - 1)).toThrow('out of memory');
    binding.free(buffer);
    binding.alloc(limited, 1000);
    expect(bytesOf(limited)).toEqual([1000, 1, 1000]);
    binding.closeDevice(limited);
  });

  it('never takes a dead handle for a live buffer', () => {
    const dead = binding.alloc(device, 16);
    binding.free(dead);
    for (let i = 0; i < 100; i++) {
      const next = binding.alloc(device, 16);
      expect(next).not.toBe(dead);
      expect(() => binding.free(dead)).toThrow(
        `Expected the handle of a live buffer for free buffer but received ${dead}`,
      );
      binding.free(next);
    }
  });

  it('frees in order: a buffer may be freed while it is in use', async () => {
    const x = upload(device, Float32Array.of(1, 2, 3));
    const y = binding.alloc(device, 12);
    binding.unary(UNARY.square, F32, 3, 0, x, 0, y, 0);
    binding.free(x);
    const result = floats(y, 3);
    binding.free(y);
    const z = upload(device, Float32Array.of(9, 9, 9));
    expect(await result).toEqual([1, 4, 9]);
    binding.free(z);
  });

  it('has room for empty buffers', async () => {
    const empty = binding.alloc(device, 0);
    binding.write(empty, 0, new Float32Array(0));
    binding.fill(F32, empty, 0, 0, 1);
    await binding.read(empty, 0, new Float32Array(0));
    expect(() => binding.fill(F32, empty, 0, 1, 1)).toThrow('Expected a buffer of at least 4 bytes for fill buffer');
  });
});

describe('reads and writes', () => {
  it('copies what write gets before it returns', async () => {
    const source = Float32Array.of(1, 2, 3, 4);
    const buffer = binding.alloc(device, 16);
    binding.write(buffer, 0, source);
    source.fill(0);
    expect(await floats(buffer, 4)).toEqual([1, 2, 3, 4]);
  });

  it('moves every kind of array at any byte', async () => {
    const buffer = upload(device, new Float64Array(4));
    binding.write(buffer, 8, Float64Array.of(Math.PI));
    binding.write(buffer, 0, Int32Array.of(-7, 2 ** 31 - 1));
    binding.write(buffer, 29, Uint8Array.of(1, 2, 3));
    const integers = new Int32Array(2);
    const double = new Float64Array(1);
    const bytes = new Uint8Array(4);
    await Promise.all([
      binding.read(buffer, 0, integers),
      binding.read(buffer, 8, double),
      binding.read(buffer, 28, bytes),
    ]);
    expect([...integers, ...double, ...bytes]).toEqual([-7, 2 ** 31 - 1, Math.PI, 0, 1, 2, 3]);
  });

  it('takes views into larger, shared and resizable buffers', async () => {
    const buffer = upload(device, Float32Array.of(5, 6, 7, 8));
    const view = new Float32Array(new ArrayBuffer(32), 12, 2);
    const shared = new Float32Array(new SharedArrayBuffer(8));
    await Promise.all([binding.read(buffer, 0, view), binding.read(buffer, 8, shared)]);
    expect([...view, ...shared]).toEqual([5, 6, 7, 8]);
    expect([...new Float32Array(view.buffer)]).toEqual([0, 0, 0, 5, 6, 0, 0, 0]);
    binding.write(buffer, 0, shared);
    expect(await floats(buffer, 4)).toEqual([7, 8, 7, 8]);
  });

  it('survives a target that is transferred or shrunk during the read', async () => {
    const buffer = upload(device, new Float32Array(1000));
    const transferred = new Float32Array(1000);
    const read = binding.read(buffer, 0, transferred);
    structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
    await expect(read).rejects.toThrow('it was resized, detached or transferred during the read');

    type Resizable = ArrayBuffer & { resize(bytes: number): void };
    const ResizableBuffer = ArrayBuffer as unknown as new (bytes: number, options: object) => Resizable;
    const memory = new ResizableBuffer(4000, { maxByteLength: 8000 });
    const tracking = new Float32Array(memory);
    const second = binding.read(buffer, 0, tracking);
    memory.resize(400);
    await expect(second).rejects.toThrow(
      'Expected an array of 4000 bytes for read target but received one of 400 bytes',
    );
    // Detached before the read, the array is an empty one.
    await binding.read(buffer, 0, transferred);
  });

  it('keeps the order of thousands of reads', async () => {
    const buffer = binding.alloc(device, 4);
    const reads: Promise<number[]>[] = [];
    for (let i = 0; i < 5000; i++) {
      binding.fill(F32, buffer, 0, 1, i);
      reads.push(floats(buffer, 1));
    }
    expect((await Promise.all(reads)).flat()).toEqual(Array.from({ length: 5000 }, (_, i) => i));
  });

  it('does not block the event loop while the device works', async () => {
    const size = 512;
    const a = upload(device, new Float32Array(size * size).fill(1));
    const c = binding.alloc(device, size * size * 4);
    const sizes = Float64Array.of(1, size, size, size, size, size, size, 0, 0, 0);
    for (let i = 0; i < 100; i++) binding.matmul(F32, sizes, false, false, false, a, 0, a, 0, c, 0);
    let done = false;
    let turns = 0;
    const read = floats(c, 1).then((value) => {
      done = true;
      return value;
    });
    while (!done) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await read).toEqual([size]);
    expect(turns).toBeGreaterThan(1);
  });
});

describe('failures on the device', () => {
  it('stick, with operation, shapes and cause, until they are cleared', async () => {
    const table = upload(device, Float32Array.of(1, 2, 3, 4, 5, 6));
    const index = upload(device, Int32Array.of(0, 3));
    const out = binding.alloc(device, 16);
    binding.gather(F32, Float64Array.of(1, 3, 2, 2, 0, 1, 0), table, 0, index, 0, out, 0);
    const message = /^gather float32 \[1,3,2\] index \[1,2,2\]: /;
    await expect(floats(out, 4)).rejects.toThrow(message);
    binding.fill(F32, table, 0, 6, 7);
    await expect(floats(table, 6)).rejects.toThrow(message);
    await expect(binding.synchronize(device)).rejects.toThrow(message);

    binding.clearError(device);
    await binding.synchronize(device);
    expect(await floats(table, 6)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('name the bytes when memory runs out', async () => {
    const huge = binding.alloc(device, 2 ** 52);
    await expect(binding.synchronize(device)).rejects.toThrow(
      /^alloc of 4503599627370496 bytes: out of memory: needed 4503599627370496 bytes, 0 in use$/,
    );
    binding.clearError(device);
    binding.fill(F32, huge, 0, 1, 0);
    await expect(binding.synchronize(device)).rejects.toThrow(/^fill float32 \[1\]: .* has no memory/);
    binding.clearError(device);
    binding.free(huge);
    await binding.synchronize(device);
    expect(bytesOf(device)).toEqual([0, 0, 2 ** 52]);
  });
});

describe('checks before anything is pushed', () => {
  it('words what it expected and received', () => {
    const x = binding.alloc(device, 40);
    const y = binding.alloc(device, 40);
    const unary = (...rest: unknown[]) => (binding.unary as (...all: unknown[]) => void)(...rest);
    const cases: [() => unknown, string][] = [
      [() => unary(), 'Expected 8 arguments for unary but received 0'],
      [() => unary('exp', F32, 1, 0, x, 0, y, 0), 'Expected a number for unary op but received a string'],
      [() => unary(99, F32, 1, 0, x, 0, y, 0), 'Expected an integer from 0 to 15 for unary op but received 99'],
      [() => unary(2, F32, -1, 0, x, 0, y, 0), 'for unary count but received -1'],
      [() => unary(2, F32, 1.5, 0, x, 0, y, 0), 'for unary count but received 1.5'],
      [() => unary(2, F32, Number.NaN, 0, x, 0, y, 0), 'for unary count but received NaN'],
      [() => unary(2, F32, 1, 0, null, 0, y, 0), 'Expected a number for unary x but received null'],
      [() => unary(2, F32, 1, 0, 0, 0, y, 0), 'Expected the handle of a live buffer for unary x but received 0'],
      [() => unary(2, F32, 11, 0, x, 0, y, 0), 'Expected a buffer of at least 44 bytes for unary x'],
      [() => unary(2, F32, 4, 0, x, 7, y, 0), 'but received one of 40 bytes (offset 7, 4 elements)'],
      [() => unary(2, F32, 4, 0, x, 0, x, 1), 'Expected memory apart from unary x for unary y'],
      [
        () => binding.fill(I32, x, 0, 1, 0.5),
        'Expected an integer from -2147483648 to 2147483647 for fill value of int32',
      ],
      [() => binding.write(x, 0, [1] as never), 'Expected a Float32Array, Float64Array, Int32Array or Uint8Array'],
      [() => binding.write(x, 0, new BigInt64Array(1) as never), 'but received BigInt64Array(1)'],
      [() => binding.random(RANDOM.bernoulli, F32, 1, 0, 0, 1.5, 1, x, 0), 'from 0 to 1 for random probability'],
      [() => binding.random(RANDOM.normal, F32, 1, -1, 0, 0, 1, x, 0), 'from 0 to 2^53-1 for random seed'],
      [() => binding.openDevice(2, 0, 0), 'Expected an integer from 0 to 1 for openDevice kind but received 2'],
    ];
    for (const [call, message] of cases) expect(messageOf(call)).toContain(message);
  });

  it('bounds layouts by what they reach', () => {
    const x = binding.alloc(device, 48);
    const y = binding.alloc(device, 48);
    const binary = (shape: Float64Array) => () => binding.binary(BINARY.add, F32, shape, x, 0, x, 0, y, 0);
    expect(binary(layout([3, 4], [4, 1], [0, 0]))).not.toThrow();
    expect(binary(layout([3, 4], [5, 1], [0, 0]))).toThrow('Expected a buffer of at least 56 bytes for binary a');
    expect(binary(layout([3, 4], [-4, 1], [0, 0]))).toThrow('binary layout strides but received -4');
    expect(binary(layout([2 ** 30, 2 ** 30], [0, 0], [0, 0]))).toThrow('Expected at most 2^40 elements');
    expect(binary(layout([2 ** 20, 2], [2 ** 40, 1], [0, 0]))).toThrow('Expected sizes with a product below 2^53');
    expect(binary(layout([2 ** 40, 2 ** 40, 0], [1, 1, 1], [0, 0, 0]))).not.toThrow();
    expect(binary(layout([3, 4], [4, 1]))).toThrow('Expected 7 numbers for binary layout but received 5');
    expect(binary(Float64Array.of(9))).toThrow('binary layout rank but received 9');
    expect(() => binding.copy(F32, layout([3, 4], [4, 1], [0, 1]), true, x, 0, y, 0)).toThrow(
      'Expected strides that name every element once for copy destination',
    );
    expect(() => binding.reduce(REDUCE.maximum, F32, layout([1], [1]), layout([0], [1]), x, 0, y, 0)).toThrow(
      'Expected at least one element for reduce maximum',
    );
    const sizes = Float64Array.of(1, 3, 4, 4, 4, 4, 3, 0, 0, 0);
    expect(() => binding.matmul(F32, sizes, false, false, false, x, 0, x, 0, y, 0)).toThrow(
      'Expected a leading dimension of at least 4 for matmul c but received 3',
    );
  });

  it('checks a stack when it is registered', () => {
    const register = (numbers: Float64Array) => () => binding.registerRnn(device, numbers);
    expect(register(stack({ cell: 4 }))).toThrow('Expected an integer from 0 to 3 for registerRnn cell but received 4');
    expect(register(stack({ hiddenSize: 0 }))).toThrow('for registerRnn hiddenSize but received 0');
    expect(register(stack({ layers: 1e9 }))).toThrow('for registerRnn layers but received 1000000000');
    expect(register(stack({ hiddenSize: 2 ** 30 }))).toThrow('Expected at most 2^40 elements for registerRnn');
    expect(register(stack({ dropout: Number.NaN }))).toThrow('for registerRnn dropout but received NaN');
    expect(register(stack({ cell: CELL.gru, projSize: 2 }))).toThrow('registerRnn projSize of a cell other than lstm');
    expect(register(stack({ projSize: 4 }))).toThrow('Expected a projection smaller than hiddenSize');
    expect(register(Float64Array.of(1, 2))).toThrow('Expected a Float64Array of 13 numbers for registerRnn numbers');
    expect(register(stack())()).toBe(register(stack())());
    expect(register(stack({ dtype: F64 }))()).not.toBe(register(stack())());
  });

  it('checks every buffer of a pass against the stack', () => {
    const rnn = binding.registerRnn(device, stack());
    const count = binding.rnnParamLayout(rnn)[0];
    const params = upload(device, new Float32Array(count));
    const x = upload(device, new Float32Array(2 * 5 * 3));
    const tokens = upload(device, new Int32Array(2 * 5));
    const y = binding.alloc(device, 2 * 5 * 4 * 4);
    const reserve = binding.alloc(device, binding.rnnReserveBytes(rnn, 2, 5));
    type Changes = { x?: number; tokens?: number; y?: number; reserve?: number; lengths?: Int32Array; steps?: number };
    const forward = (changes: Changes, training = false) => {
      const pairs = [params, changes.x ?? x, changes.tokens ?? 0, 0, 0, changes.y ?? y, 0, 0, changes.reserve ?? 0];
      const buffers = Float64Array.from(pairs.flatMap((handle) => [handle, 0]));
      return () => binding.rnnForward(rnn, changes.steps ?? 2, 5, changes.lengths ?? null, buffers, training, 0);
    };
    expect(forward({ tokens })).toThrow(
      'Expected exactly one of x and tokens for rnnForward buffers but received both',
    );
    expect(forward({ x: 0 })).toThrow('Expected exactly one of x and tokens');
    expect(forward({ steps: 3 })).toThrow('Expected a buffer of at least 180 bytes for rnnForward x');
    expect(forward({ y: params })).toThrow('Expected memory apart from rnnForward params for rnnForward y');
    expect(forward({ lengths: Int32Array.of(1, 2) })).toThrow(
      'Expected 5 integers for rnnForward lengths but received 2',
    );
    expect(forward({ lengths: Int32Array.of(0, 1, 2, 3, 0) })).toThrow(
      'from 0 to 2 for rnnForward lengths but received 3',
    );
    expect(forward({}, true)).toThrow('Expected a buffer for rnnForward reserve when training but received 0');
    expect(forward({ reserve: tokens })).toThrow('for rnnForward reserve but received one of 40 bytes');
    expect(forward({ steps: 2 ** 31 - 1, reserve })).toThrow('Expected a buffer of at least 128849018820 bytes');
    expect(() => binding.rnnReserveBytes(rnn, 2 ** 31 - 1, 2 ** 31 - 1)).toThrow('Expected at most 2^40 elements');
  });
});
