import { describe, expect, it } from 'vitest';
import { median, race } from '../../src/bench/contestant.js';
import { measure } from '../../src/bench/measure.js';
import { tokensOf } from '../../src/bench/ours.js';
import { flopsPerToken, HEADLINE, MAIN_SUITE, tokensPerRun, uniformLengths } from '../../src/bench/workload.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const cpu = expectNoLeaks();
const SMALL = { ...HEADLINE, layers: 2, hidden: 8, batch: 3, steps: 4, vocabulary: 5 };

describe('flopsPerToken', () => {
  const million = (changes: object) => flopsPerToken({ ...HEADLINE, ...changes }) / 1e6;

  it('counts every product of a training step three times', () => {
    // [4H, H] in both layers and between them, [V, H] in the head.
    expect(million({})).toBeCloseTo(4.7616, 6);
    expect(million({})).toBe((3 * 2 * (3 * 1024 * 256 + 28 * 256)) / 1e6);
    expect(million({ cell: 'gru' })).toBe((3 * 2 * (3 * 768 * 256 + 28 * 256)) / 1e6);
    expect(million({ cell: 'rnnTanh' })).toBe((3 * 2 * (3 * 256 * 256 + 28 * 256)) / 1e6);
  });

  it('knows directions, projections, stacks and generation', () => {
    // Both directions read the 512 outputs of the layer below.
    expect(million({ bidirectional: true })).toBe((3 * 2 * (4 * 1024 * 256 + 2 * 1024 * 512 + 28 * 512)) / 1e6);
    expect(million({ projection: 128 })).toBe((3 * 2 * (3 * 1024 * 128 + 2 * 128 * 256 + 28 * 128)) / 1e6);
    expect(million({ task: 'stack', layers: 1 })).toBe((3 * 2 * 2 * 1024 * 256) / 1e6);
    expect(million({ task: 'generate' })).toBe(million({}) / 3);
  });
});

describe('workloads', () => {
  it('count the tokens within their lengths', () => {
    const lengths = uniformLengths(1000, 35);
    expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([1, 35]);
    expect(lengths.reduce((sum, length) => sum + length, 0) / 1000).toBeCloseTo(18, 0);
    expect(tokensPerRun(HEADLINE)).toBe(1120);
    expect(tokensPerRun({ ...SMALL, lengths: [4, 1, 2] })).toBe(7);
    const { y } = tokensOf({ ...SMALL, lengths: [4, 1, 2] });
    // [T,B]: one column a sequence.
    expect([...y].map((target) => target >= 0)).toEqual([
      ...[true, true, true],
      ...[true, false, true],
      ...[true, false, false],
      ...[true, false, false],
    ]);
  });

  it.each(MAIN_SUITE.map((workload) => [workload.name, workload] as const))('%s runs', async (_, workload) => {
    const { layers, bidirectional, lengths, projection } = workload;
    const small = {
      ...{
        ...workload,
        ...SMALL,
        task: workload.task,
        cell: workload.cell,
        precision: workload.precision,
        layers,
        bidirectional,
      },
      projection: projection && 4,
      lengths: lengths && [4, 0, 2],
    };
    const row = await measure(small, cpu, [], { rounds: 2, seconds: 0.001 });
    expect(row.ours.min).toBeGreaterThan(0);
    expect(row.ours.max).toBeGreaterThanOrEqual(row.ours.median);
    expect(row.gigaflops * 1e9).toBeCloseTo(row.ours.median * flopsPerToken(small), -1);
    expect(row.shareOfPeak).toBeLessThan(1);
    expect(row.precision).toBe(workload.precision);
    expect(row).not.toHaveProperty('rivals');
  });

  it('run as a stack alone, beside rivals, the fastest first', async () => {
    const rival = (name: string, seconds: number) => ({
      name,
      run: async (count: number) => count * seconds,
      close() {},
    });
    const rivals = [rival('slow', 12), rival('fast', 6), rival('slower', 24)];
    const row = await measure({ ...SMALL, task: 'stack' }, cpu, rivals, { rounds: 3, seconds: 0.001 });
    expect(row.rivals).toEqual(
      [2, 1, 0.5].map((rate, i) => ({ name: ['fast', 'slow', 'slower'][i], median: rate, min: rate, max: rate })),
    );
    expect(row.ratio).toBeCloseTo(row.ours.median / 2, 6);
  });
});

describe('race', () => {
  it('lets contestants take turns, each as often as fits', async () => {
    const log: string[] = [];
    const contestant = (name: string, seconds: number) => ({
      name,
      async run(count: number) {
        log.push(`${name}${count}`);
        return count * seconds;
      },
      close() {},
    });
    const between = async () => {
      log.push('-');
    };
    const taken = await race([contestant('a', 0.5), contestant('b', 0.01)], { rounds: 2, seconds: 1 }, between);
    expect(taken).toEqual([
      [0.5, 0.5],
      [0.01, 0.01],
    ]);
    expect(log.join(' ')).toBe('a16 a1 b16 b1 b4 b16 - a2 b100 - a2 b100');
  });

  it('takes the median', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(3);
  });
});
