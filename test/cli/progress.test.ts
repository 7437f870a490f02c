import { describe, expect, test } from 'vitest';
import { formatDuration, Progress } from '../../src/cli/progress.js';
import type { Epoch } from '../../src/train/metrics.js';

function epoch(number: number, changes: Partial<Epoch> = {}): Epoch {
  return {
    number,
    loss: 1,
    perplexity: Math.E,
    tokens: 1000,
    complete: true,
    seconds: 1,
    tokensPerSecond: 1000,
    steadyTokensPerSecond: 12_345.6,
    learningRate: 1,
    ...changes,
  };
}

/** A stream that keeps what is written, and a clock that is set by hand. */
function setUp(isTTY: boolean, epochs: number, columns = 100) {
  const written: string[] = [];
  const clock = { milliseconds: 0 };
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  return { written, clock, progress: new Progress(stream, epochs, () => clock.milliseconds) };
}

test('durations', () => {
  expect([0.4, 59.4, 60, 200, 3599.6, 7500].map(formatDuration)).toEqual([
    '0 s',
    '59 s',
    '1 min 0 s',
    '3 min 20 s',
    '1 h 0 min',
    '2 h 5 min',
  ]);
});

describe('elsewhere than on a terminal', () => {
  test('one plain line an epoch', () => {
    const { written, clock, progress } = setUp(false, 3);
    clock.milliseconds = 10_000;
    progress.onStep({ epoch: 1, number: 1, loss: 1, tokens: 10 });
    progress.onEpoch(epoch(1, { validation: { loss: 1, perplexity: 3, tokens: 5 } }));
    progress.end();
    expect(written).toEqual(['epoch 1/3  perplexity 2.718  12,346 tokens/s  20 s left  validation 3.000\n']);
  });

  test('some 20 lines for many epochs, and always the last', () => {
    const { written, progress } = setUp(false, 505);
    for (let number = 1; number <= 505; ++number) progress.onEpoch(epoch(number));
    const shown = written.map((line) => Number(/^epoch (\d+)\/505/.exec(line)![1]));
    expect(shown).toEqual([1, ...Array.from({ length: 19 }, (_, index) => 26 * (index + 1)), 505]);
  });

  test('an epoch that was broken off', () => {
    const { written, progress } = setUp(false, 500);
    progress.onEpoch(epoch(2, { complete: false }));
    expect(written).toHaveLength(1);
  });
});

describe('on a terminal', () => {
  test('one line, rewritten at most ten times a second and cut to the width', () => {
    const { written, clock, progress } = setUp(true, 10, 30);
    for (let number = 1; number <= 100; ++number) {
      clock.milliseconds += 10;
      progress.onStep({ epoch: 1, number, loss: 0, tokens: 10 });
    }
    expect(written).toHaveLength(10);
    expect(written[0]).toBe('\repoch 1/10  perplexity 1.000\x1b[K');
    for (const line of written) {
      expect(line.startsWith('\r')).toBe(true);
      expect(line.length).toBeLessThanOrEqual(1 + 29 + 3);
    }
  });

  test('time left counts the steps of the epoch under way', () => {
    const { written, clock, progress } = setUp(true, 10);
    progress.onStep({ epoch: 1, number: 1, loss: 0, tokens: 10 });
    progress.onStep({ epoch: 1, number: 2, loss: 0, tokens: 10 });
    progress.onEpoch(epoch(1));
    clock.milliseconds = 15_000;
    progress.onStep({ epoch: 2, number: 1, loss: 0, tokens: 10 });
    expect(written.at(-1)).toBe('\repoch 2/10  perplexity 2.718  12,346 tokens/s  1 min 25 s left\x1b[K');
    progress.end();
    expect(written.at(-1)).toBe('\n');
  });
});
