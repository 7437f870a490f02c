/**
 * Random numbers on the JavaScript side: seeds, shuffles and offsets of data loaders.
 *
 * The generator is Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), the same as in
 * the native code: a pure function of seed and counter, so a stream repeats on every machine and in every version.
 */
import { checkInteger } from './check.js';

/**
 * A seeded stream of random numbers.
 *
 * @example
 * const source = new RandomSource(1);
 * const order = source.shuffle([0, 1, 2, 3]);
 */
export class RandomSource {
  private readonly key: readonly [number, number];
  private counter = 0;

  /** @param seed An integer from 0 to 2^53 - 1. */
  constructor(seed: number) {
    checkInteger(seed, 'seed', { min: 0 });
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  }

  /** The next number, uniform in [0, 1) with 53 bits. */
  nextFloat(): number {
    return this.nextSeed() * 2 ** -53;
  }

  /** The next integer, uniform from `low` to `high`, both included. */
  nextInteger(low: number, high: number): number {
    checkInteger(low, 'low');
    checkInteger(high, 'high', { min: low });
    return low + Math.floor(this.nextFloat() * (high - low + 1));
  }

  /** Shuffles in place (Fisher-Yates) and returns the same array. */
  shuffle<A extends { length: number; [index: number]: unknown }>(array: A): A {
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.nextInteger(0, i);
      const moved = array[i];
      array[i] = array[j];
      array[j] = moved;
    }
    return array;
  }

  /** The next integer from 0 to 2^53 - 1. */
  nextSeed(): number {
    const [high, low] = philox(this.key, this.counter++);
    return high * 2 ** 21 + (low >>> 11);
  }
}

let globalSource = new RandomSource(Math.floor(Math.random() * 2 ** 48));

/**
 * Restarts the global stream that initialisers, dropout and loaders draw their seeds from; without it every process differs.
 *
 * @example
 * manualSeed(1); // everything random after this repeats
 */
export function manualSeed(seed: number): void {
  globalSource = new RandomSource(seed);
}

/**
 * A fresh seed (0 to 2^53 - 1) from the global stream.
 *
 * @example
 * const loader = new RandomLoader(corpus, { batchSize: 4, steps: 8, seed: nextSeed() });
 */
export function nextSeed(): number {
  return globalSource.nextSeed();
}

/** The first two words of the Philox 4x32-10 block `counter` under `key`. */
function philox(key: readonly [number, number], counter: number): [number, number] {
  let c0 = counter >>> 0;
  let c1 = Math.floor(counter / 2 ** 32);
  let c2 = 0;
  let c3 = 0;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1];
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const middle = aHigh * bLow + Math.floor(low / 0x10000);
  const cross = aLow * bHigh + (middle % 0x10000);
  return aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000);
}
