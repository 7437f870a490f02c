import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Binding } from '../../src/native/binding.js';
import { binding, F32, floats, I32, layout, stack, upload } from './raw.js';

const device = binding.openDevice(0, 2, 1 << 26);
const other = binding.openDevice(0, 1, 1 << 26);
const zeros = () => upload(device, new Int32Array(512));
const [a, b, c, d, e, f, g, h] = Array.from({ length: 8 }, zeros);
const empty = binding.alloc(device, 0);
const foreign = upload(other, new Int32Array(64));
const dead = binding.alloc(device, 64);
binding.free(dead);
const closed = binding.openDevice(0, 1, 0);
const orphan = binding.alloc(closed, 64);
binding.closeDevice(closed);
const lstm = binding.registerRnn(device, stack());
const gru = binding.registerRnn(device, stack({ cell: 3, hiddenSize: 2, layers: 2, bidirectional: 1, dropout: 0.5 }));
const params = upload(device, new Float32Array(4096));
const reserve = binding.alloc(device, 1 << 16);
const index = zeros();

const numbers = (...values: number[]) => Float64Array.from(values);
const pairs = (...handles: number[]) => Float64Array.from(handles.flatMap((handle) => [handle, 0]));

/** One valid call of each function, or several. */
const valid: [keyof Binding, unknown[]][] = [
  ['openDevice', [0, 1, 1000]],
  ['describeDevice', [device]],
  ['deviceStatistics', [device]],
  ['clearError', [device]],
  ['clearError', [device]],
  ['synchronize', [device]],
  ['alloc', [device, 100]],
  ['write', [a, 4, Float32Array.of(0, 0)]],
  ['read', [a, 4, new Float32Array(4)]],
  ['read', [a, 3, new Uint8Array(new SharedArrayBuffer(16))]],
  ['fill', [F32, a, 2, 3, 0]],
  ['copy', [F32, layout([3, 4], [4, 1], [1, 3]), true, a, 0, b, 5]],
  ['cast', [F32, I32, 7, a, 0, b, 1]],
  ['unary', [8, F32, 9, 0, a, 0, b, 0]],
  ['unary', [15, 1, 9, 0, a, 0, a, 0]],
  ['binary', [0, F32, layout([2, 3], [3, 1], [0, 1]), a, 0, b, 0, c, 0]],
  ['binary', [9, F32, layout([4], [1], [1]), a, 0, b, 0, c, 0]],
  ['select', [F32, layout([2, 2], [2, 1], [0, 1], [1, 0]), index, 0, b, 0, c, 0, d, 0]],
  ['reduce', [0, F32, layout([2], [3]), layout([3], [1]), a, 0, b, 0]],
  ['reduce', [2, F32, layout([], []), layout([2, 3], [3, 1]), a, 0, b, 0]],
  ['matmul', [F32, numbers(2, 3, 4, 5, 5, 4, 4, 15, 0, 12), false, false, true, a, 0, b, 0, c, 0]],
  ['matmul', [1, numbers(1, 3, 4, 5, 3, 5, 4, 0, 0, 0), true, true, false, a, 0, b, 0, c, 0]],
  ['gather', [F32, numbers(1, 3, 4, 2, 0, 1, 0), a, 0, index, 0, c, 0]],
  ['scatterAdd', [F32, numbers(2, 3, 4, 2, 8, 2, 1), a, 0, index, 0, c, 0]],
  ['random', [0, F32, 9, 1, 2, 0, 1, d, 100]],
  ['softmax', [F32, 3, 4, false, a, 0, b, 0]],
  ['softmaxBackward', [F32, 3, 4, true, a, 0, b, 0, c, 0]],
  ['crossEntropy', [F32, 3, 4, -100, 0.1, pairs(a, index, c, d, e, f)]],
  ['crossEntropyBackward', [F32, 3, 4, -100, 0.1, pairs(a, index, c, d, e)]],
  ['sumSquares', [F32, 9, true, a, 0, b, 0]],
  ['clipNorm', [F32, 9, 1, b, 0, a, 0, c, 0]],
  ['optimizerStep', [0, F32, 9, numbers(0.1, 0, 0.9, 0, 0, 1), true, pairs(a, b, c, 0, 0)]],
  ['optimizerStep', [1, F32, 9, numbers(0.1, 0, 0.9, 0.9, 1e-8, 1), true, pairs(a, b, c, d, 0)]],
  ['registerRnn', [device, stack()]],
  ['rnnParamLayout', [lstm]],
  ['rnnReserveBytes', [lstm, 2, 3]],
  ['rnnForward', [lstm, 2, 3, null, pairs(params, a, 0, b, c, d, e, f, reserve), true, 1]],
  ['rnnForward', [gru, 2, 3, Int32Array.of(0, 2, 1), pairs(params, 0, index, b, 0, d, e, 0, reserve), true, 1]],
  ['rnnForward', [lstm, 2, 3, null, pairs(params, a, 0, 0, 0, d, 0, 0, 0), false, 1]],
  ['generate', [lstm, numbers(3, 0, 4, 0.8, 2, 0.9, 1, 2), Int32Array.of(1, 2, 0), pairs(params, 0, a, b, c, d, e)]],
];
// Backward reads what forward left in the reserve, so forward runs first with the same arguments.
const passes: [unknown[], unknown[]] = [
  [lstm, 2, 3, null, pairs(params, a, 0, b, c, d, e, f, reserve), true, 1],
  [lstm, 2, 3, null, pairs(params, a, 0, b, c, d, e, f, g, h, 0, 0, 0, reserve), true, 1],
];

// Too slow to be run as often as the others.
const peakCall: (typeof valid)[number] = ['measurePeak', [device, new Float64Array(5)]];

/** Numbers that break careless arithmetic, and handles that name nothing here. */
const awkward = fc.constantFrom(
  ...[-1, -0, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE],
  ...[2 ** 22, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64, -(2 ** 63)],
  ...[empty, foreign, dead, orphan, a + 2 ** 21, a + 2 ** 22, 999],
);
const number = fc.oneof(awkward, fc.integer({ min: 0, max: 20 }), fc.constantFrom(a, b, c, reserve), fc.double());
const nonsense: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    true,
    false,
    '1',
    '',
    {},
    [],
    Symbol('x'),
    7n,
    () => 1,
    new DataView(new ArrayBuffer(8)),
  ),
  fc.constantFrom(new BigInt64Array(4), new Float64Array(0), new Float64Array(64).fill(1e300), new Int16Array(3)),
  fc.array(fc.integer()),
  fc.constant({
    valueOf() {
      throw new Error('valueOf ran');
    },
  }),
);

interface Mutation {
  argument: number;
  entry: number;
  number: number;
  nonsense: unknown;
  kind: 'number' | 'nonsense' | 'length' | 'missing' | 'extra';
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  argument: fc.nat(30),
  entry: fc.nat(30),
  number,
  nonsense,
  kind: fc.oneof(
    { weight: 16, arbitrary: fc.constant('number' as const) },
    { weight: 2, arbitrary: fc.constantFrom('nonsense' as const, 'length' as const) },
    { weight: 1, arbitrary: fc.constantFrom('missing' as const, 'extra' as const) },
  ),
});

function mutate(given: unknown[], { argument, entry, number, nonsense, kind }: Mutation): unknown[] {
  const args = [...given];
  const at = argument % args.length;
  const value = args[at];
  if (kind === 'missing') return args.slice(0, at);
  if (kind === 'extra') return [...args, number];
  if (kind === 'nonsense') args[at] = nonsense;
  else if (!(value instanceof Float64Array || value instanceof Int32Array)) args[at] = number;
  else if (kind === 'length') args[at] = value.slice(0, entry % (value.length + 1));
  else {
    const changed = value.slice();
    if (value.length > 0) changed[entry % value.length] = number;
    args[at] = changed;
  }
  return args;
}

async function computesRightly(id: number): Promise<void> {
  binding.clearError(id);
  await binding.synchronize(id);
  const x = upload(id, Float32Array.of(1, 2, 3, 4, 5, 6));
  const sum = binding.alloc(id, 8);
  binding.reduce(0, F32, layout([2], [3]), layout([3], [1]), x, 0, sum, 0);
  expect(await floats(sum, 2)).toEqual([6, 15]);
  const index = upload(id, Int32Array.of(2, 0));
  const rows = binding.alloc(id, 16);
  binding.gather(F32, numbers(1, 3, 2, 2, 0, 1, 0), x, 0, index, 0, rows, 0);
  expect(await floats(rows, 4)).toEqual([5, 6, 1, 2]);
}

function attempt(name: keyof Binding, args: unknown[], pending: Promise<unknown>[]): boolean {
  try {
    const result = (binding[name] as (...all: unknown[]) => unknown)(...args);
    if (result instanceof Promise) pending.push(result);
    if (name === 'openDevice') binding.closeDevice(result as number);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(/Expected|is closed|out of memory|not supported|does not|needs/);
    return false;
  }
}

it('accepts the calls that the fuzz starts from', async () => {
  for (const [name, args] of [...valid, peakCall]) {
    const pending: Promise<unknown>[] = [];
    expect(attempt(name, args, pending), `${name}`).toBe(true);
    await Promise.all(pending);
    await expect(binding.synchronize(device), `${name}`).resolves.toBeUndefined();
  }
  binding.rnnForward(...(passes[0] as Parameters<Binding['rnnForward']>));
  binding.rnnBackward(...(passes[1] as Parameters<Binding['rnnBackward']>));
  await binding.synchronize(device);
});

it('survives any arguments, and computes the right numbers afterwards', async () => {
  const outcomes = { accepted: 0, rejected: 0 };
  const pending: Promise<unknown>[] = [];
  const count = (accepted: boolean) => outcomes[accepted ? 'accepted' : 'rejected']++;
  const mutations = fc.array(mutation, { maxLength: 2 });
  const anyCall = fc.property(fc.constantFrom(...valid), mutations, ([name, args], changes) => {
    binding.clearError(device);
    binding.fill(I32, index, 0, 512, 0);
    count(attempt(name, changes.reduce(mutate, args), pending));
  });
  fc.assert(anyCall, { numRuns: 20_000, seed: 2026, endOnFailure: true });
  const anyBackward = fc.property(mutations, (changes) => {
    binding.clearError(device);
    binding.rnnForward(...(passes[0] as Parameters<Binding['rnnForward']>));
    count(attempt('rnnBackward', changes.reduce(mutate, passes[1]), pending));
  });
  fc.assert(anyBackward, { numRuns: 2000, seed: 2026, endOnFailure: true });
  const anyPeak = fc.property(mutations, (changes) => {
    count(attempt('measurePeak', changes.reduce(mutate, peakCall[1]), pending));
  });
  fc.assert(anyPeak, { numRuns: 50, seed: 2026, endOnFailure: true });
  const anyFree = fc.property(fc.oneof(awkward, nonsense), (handle) => {
    fc.pre(![a, empty, foreign].includes(handle as number));
    expect(attempt('free', [handle], pending)).toBe(false);
  });
  fc.assert(anyFree, { numRuns: 500, seed: 2026, endOnFailure: true });
  expect(outcomes.accepted).toBeGreaterThan(2000);
  expect(outcomes.rejected).toBeGreaterThan(2000);

  for (const outcome of await Promise.allSettled(pending)) {
    if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(Error);
  }
  await computesRightly(device);
  await computesRightly(other);
  binding.closeDevice(device);
  binding.closeDevice(other);
});
