import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mergeResults, type ReportRow, type Results, readResults, writeResults } from '../../bench/results.js';

const run = (machine: string) => ({ machine, versions: { node: 'v24.0.0' }, timing: { rounds: 3, seconds: 0.5 } });
const row = (name: string, date: string, rate: number) => {
  const ours = { median: rate, min: rate, max: rate };
  return { date, name, ours } as ReportRow & { date: string };
};
const BEFORE: Results = {
  runs: { monday: run('a'), tuesday: run('b') },
  rows: [row('gone', 'monday', 1), row('first', 'tuesday', 2), row('second', 'monday', 3)],
};

it('rows measured again take the place of those recorded, in the order of the suite', () => {
  const now = { runs: { friday: run('c') }, rows: [row('third', 'friday', 4), row('second', 'friday', 5)] };
  const merged = mergeResults(BEFORE, now, ['first', 'second', 'third']);
  expect(merged.rows.map(({ name, date, ours }) => [name, date, ours.median])).toEqual([
    ['first', 'tuesday', 2],
    ['second', 'friday', 5],
    ['third', 'friday', 4],
  ]);
  // Nothing is left of monday.
  expect(merged.runs).toEqual({ tuesday: run('b'), friday: run('c') });
});

it('what is no row stays until it is measured again', () => {
  const wholeProgram = { date: 'monday', bare: 2, trainer: 1, loss: 0.5 };
  const before = { ...BEFORE, wholeProgram };
  const now = { runs: { friday: run('c') }, rows: [] };
  const merged = mergeResults(before, now, ['first']);
  expect(merged).toEqual({ ...BEFORE, rows: [BEFORE.rows[1]], wholeProgram });
  const again = { ...now, wholeProgram: { ...wholeProgram, date: 'friday' } };
  expect(mergeResults(before, again, []).runs).toEqual(now.runs);
});

it('results come back from their file with four digits', () => {
  const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-results-'));
  try {
    const file = join(folder, 'new', 'suite.json');
    expect(readResults(file)).toEqual({ runs: {}, rows: [] });
    writeResults(file, { ...BEFORE, rows: [row('first', 'monday', 1234.567)] });
    expect(readResults(file)).toEqual({ ...BEFORE, rows: [row('first', 'monday', 1235)] });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
