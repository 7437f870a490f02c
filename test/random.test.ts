import { describe, expect, it } from 'vitest';
import { manualSeed, nextSeed, RandomSource } from '../src/random.js';

describe('RandomSource', () => {
  it('is Philox 4x32-10: the first two words of the published vectors', () => {
    // Counter 0 under key 0 of Random123's known answers: 6627e8d5 e169c58d ...
    expect(new RandomSource(0).nextSeed()).toBe(0x6627e8d5 * 2 ** 21 + (0xe169c58d >>> 11));
  });

  it('repeats for a seed and differs between seeds, also in their upper bits', () => {
    const draw = (seed: number) =>
      Array.from(
        { length: 4 },
        (() => {
          const source = new RandomSource(seed);
          return () => source.nextSeed();
        })(),
      );
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(5 + 2 ** 32));
    expect(new Set(draw(1)).size).toBe(4);
  });

  it('is uniform', () => {
    const source = new RandomSource(3);
    const count = 20_000;
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < count; i++) bins[Math.floor(source.nextFloat() * 10)]++;
    const chiSquare = bins.reduce((sum, bin) => sum + (bin - count / 10) ** 2 / (count / 10), 0);
    // The 99.9 % point of chi-square with 9 degrees of freedom.
    expect(chiSquare).toBeLessThan(27.9);
  });

  it('draws integers with both ends included', () => {
    const source = new RandomSource(1);
    const drawn = new Set(Array.from({ length: 200 }, () => source.nextInteger(-1, 2)));
    expect([...drawn].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2]);
    expect(source.nextInteger(7, 7)).toBe(7);
    expect(() => source.nextInteger(2, 1)).toThrow('Expected an integer at least 2 for high but received 1');
  });

  it('shuffles in place, every order as often as the others', () => {
    const source = new RandomSource(2);
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = source.shuffle([0, 1, 2]).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
    const array = Int32Array.of(1, 2, 3);
    expect(source.shuffle(array)).toBe(array);
  });

  it.each([-1, 0.5, NaN, 2 ** 53, '1'])('rejects the seed %s', (seed) => {
    expect(() => new RandomSource(seed as number)).toThrow('Expected an integer at least 0 for seed');
  });
});

describe('manualSeed', () => {
  it('restarts the global stream', () => {
    manualSeed(11);
    const first = [nextSeed(), nextSeed()];
    manualSeed(11);
    expect([nextSeed(), nextSeed()]).toEqual(first);
    expect(first.every(Number.isSafeInteger)).toBe(true);
  });
});
