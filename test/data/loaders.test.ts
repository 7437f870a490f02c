import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Corpus, loadCorpus } from '../../src/data/corpus.js';
import { ConsecutiveLoader, RandomLoader, type SequenceBatch } from '../../src/data/loaders.js';
import { Vocabulary } from '../../src/data/vocabulary.js';
import { ArgumentError, DeepRnnError } from '../../src/errors.js';

/** Ids that name their own position, so that every batch tells where its tokens lie in the corpus. */
const positions = (length: number) => Int32Array.from({ length }, (_, index) => index);
/** Sequence b of a time-major batch. */
const sequence = (batch: SequenceBatch, b: number, of: 'x' | 'y' = 'x') =>
  Array.from({ length: batch.steps }, (_, t) => batch[of][t * batch.batchSize + b]);

const sizes = fc.record({
  batchSize: fc.integer({ min: 1, max: 6 }),
  steps: fc.integer({ min: 1, max: 7 }),
  extra: fc.integer({ min: 0, max: 60 }),
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
});

describe('ConsecutiveLoader', () => {
  test('rows run through the corpus and targets are one token further', () => {
    fc.assert(
      fc.property(sizes, ({ batchSize, steps, extra, seed }) => {
        const length = batchSize * steps + steps + 1 + extra;
        const loader = new ConsecutiveLoader(positions(length), { batchSize, steps, seed });
        for (let epoch = 0; epoch < 3; ++epoch) {
          const batches = [...loader];
          const offset = batches[0].x[0];
          expect(offset).toBeLessThanOrEqual(steps);
          const columns = Math.floor((length - offset - 1) / batchSize);
          expect(batches).toHaveLength(Math.floor(columns / steps));
          batches.forEach((batch, i) => {
            for (let b = 0; b < batchSize; ++b) {
              const start = offset + b * columns + i * steps;
              expect(sequence(batch, b)).toEqual(Array.from({ length: steps }, (_, t) => start + t));
              expect(sequence(batch, b, 'y')).toEqual(Array.from({ length: steps }, (_, t) => start + t + 1));
            }
          });
        }
      }),
    );
  });

  test("8 minibatches of 32 x 35 from D2L's 10,000 tokens, whatever the offset", () => {
    const loader = new ConsecutiveLoader(positions(10_000), { seed: 1 });
    const offsets = new Set<number>();
    for (let epoch = 0; epoch < 400; ++epoch) {
      let count = 0;
      for (const { x, steps, batchSize } of loader) {
        if (count++ === 0) offsets.add(x[0]);
        expect([x.length, steps, batchSize]).toEqual([1120, 35, 32]);
      }
      expect(count).toBe(8);
    }
    expect([...offsets].sort((a, b) => a - b)).toEqual([...positions(36)]);
  });

  test('the seed repeats the epochs, each with its own offset', () => {
    const epochs = (seed: number) => {
      const loader = new ConsecutiveLoader(positions(500), { batchSize: 2, steps: 20, seed });
      return Array.from({ length: 10 }, () => [...loader].map(({ x }) => x[0]));
    };
    expect(epochs(5)).toEqual(epochs(5));
    expect(epochs(5)).not.toEqual(epochs(6));
    expect(new Set(epochs(5).map(([first]) => first)).size).toBeGreaterThan(3);
  });

  test('without randomOffset every epoch begins at the first token', () => {
    const loader = new ConsecutiveLoader(positions(9), { batchSize: 2, steps: 4, randomOffset: false });
    for (let epoch = 0; epoch < 5; ++epoch) {
      const [batch, ...others] = [...loader];
      expect([sequence(batch, 0), sequence(batch, 1)]).toEqual([
        [0, 1, 2, 3],
        [4, 5, 6, 7],
      ]);
      expect(others).toEqual([]);
    }
  });
});

describe('RandomLoader', () => {
  test('deals out pieces of the corpus, none of them twice', () => {
    fc.assert(
      fc.property(sizes, ({ batchSize, steps, extra, seed }) => {
        const length = batchSize * steps + steps + 1 + extra;
        const loader = new RandomLoader(positions(length), { batchSize, steps, seed });
        for (let epoch = 0; epoch < 3; ++epoch) {
          const starts: number[] = [];
          for (const batch of loader) {
            for (let b = 0; b < batchSize; ++b) {
              const [start] = sequence(batch, b);
              starts.push(start);
              expect(sequence(batch, b)).toEqual(Array.from({ length: steps }, (_, t) => start + t));
              expect(sequence(batch, b, 'y')).toEqual(Array.from({ length: steps }, (_, t) => start + t + 1));
            }
          }
          expect(new Set(starts).size).toBe(starts.length);
          expect(new Set(starts.map((start) => start % steps)).size).toBe(1);
          const offset = Math.min(...starts) % steps;
          const possible = [offset, steps].map((drawn) => Math.floor((length - drawn - 1) / steps));
          expect(possible.map((count) => count - (count % batchSize))).toContain(starts.length);
        }
      }),
    );
  });

  test("also 8 minibatches from D2L's 10,000 tokens, in another order each epoch", () => {
    const loader = new RandomLoader(positions(10_000), { seed: 3 });
    const first = [...loader];
    const second = [...loader];
    expect([first.length, second.length]).toEqual([8, 8]);
    expect(first[0].x).not.toEqual(second[0].x);
    const again = new RandomLoader(positions(10_000), { seed: 3 });
    expect([...again]).toEqual(first);
    expect([...again]).toEqual(second);
  });
});

describe('misuse', () => {
  test('a corpus that is too short says how many tokens it takes', () => {
    expect(() => new ConsecutiveLoader(positions(1155), {})).toThrow('it takes 1156');
    expect(() => new ConsecutiveLoader(positions(1155), {})).toThrow(DeepRnnError);
    expect([...new ConsecutiveLoader(positions(1156), {})]).toHaveLength(1);
    expect([...new RandomLoader(positions(1121), { randomOffset: false })]).toHaveLength(1);
  });

  test('wrong options', async () => {
    const corpus = await loadCorpus({ text: 'abcdefghijklmnop' });
    expect(corpus).toBeInstanceOf(Corpus);
    expect(corpus.vocabulary).toBeInstanceOf(Vocabulary);
    for (const options of [{ batchSize: 0 }, { steps: 1.5 }, { steps: -1 }, { seed: 'x' }, { batch: 2 }]) {
      expect(() => new ConsecutiveLoader(corpus, options as never), JSON.stringify(options)).toThrow(ArgumentError);
    }
    expect(() => new RandomLoader([1, 2] as never)).toThrow('Expected a Corpus or an Int32Array of token ids');
  });
});
