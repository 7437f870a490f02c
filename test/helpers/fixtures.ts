/** Numbers to compare with: files written by test/fixtures/make.py, and draws that it repeats in Python. */
import { readFileSync } from 'node:fs';
import { decodeSafetensors, type StateDict } from '../../src/io/safetensors.js';

export const FIXTURES = new URL('../fixtures/', import.meta.url);

export function loadFixture(name: string): StateDict {
  return decodeSafetensors(readFileSync(new URL(name, FIXTURES))).tensors;
}

/** The entries whose names start with `prefix`, without it. */
export function under(state: StateDict, prefix: string): StateDict {
  return new Map(
    [...state].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]),
  );
}

/** `count` numbers in (-1, 1): element i is a hash of (stream, i), the same as `uniform` of test/fixtures/make.py. */
export function uniformDraws(stream: number, count: number): Float64Array {
  const start = Math.imul(stream, 0x9e3779b9);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (start + i) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0;
    x = (x ^ (x >>> 16)) >>> 0;
    return (x + 0.5) / 2 ** 31 - 1;
  });
}
