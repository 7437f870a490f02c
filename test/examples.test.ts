import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireBuild, root, runNode } from './helpers/programs.js';
import { timeMachinePath } from './helpers/texts.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  requireBuild();
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = await runNode([compiler, '-p', 'tsconfig.tools.json']);
  expect(stdout).toBe('');
  expect(status).toBe(0);
}, 120_000);

/** Runs a compiled example or bench where no text is cached. */
async function program(path: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { status, stdout, stderr } = await runNode([join(root, '.tools', path), ...args], {
    env: { XDG_CACHE_HOME: folder, DEEP_RNN_DATA: '', ...env },
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

describe('examples/time-machine', () => {
  test('without the text: a novel that a development dependency carries', async () => {
    const lines = (await program('examples/time-machine.js', ['--epochs', '2', '--offline'])).trim().split('\n');
    expect(lines[0]).toContain('training on Moby-Dick instead');
    expect(lines[1]).toMatch(/^epoch 1, perplexity 2\d\.\d{3}$/);
    expect(lines[3]).toMatch(/^perplexity [\d.]+, \d+ tokens\/sec \(steady \d+\) on .+$/);
    expect(lines[4]).toHaveLength('some years ago'.length + 50);
    expect(lines[5]).toHaveLength('ishmael'.length + 50);
    expect(lines[6]).toMatch(/: \d+ of 50, \d+ of 50$/);
    expect(lines).toHaveLength(7);
  });

  test.runIf(timeMachinePath)('with the text, two seeds', async () => {
    const env = { DEEP_RNN_DATA: dirname(timeMachinePath!) };
    const output = await program('examples/time-machine.js', ['--epochs', '1', '--seeds', '1,2'], env);
    const lines = output.trim().split('\n');
    expect(lines.filter((line) => line.startsWith('time traveller'))).toHaveLength(2);
    expect(lines.at(-2)).toMatch(/^seed 1: perplexity [\d.]+, \d+ tokens\/sec/);
    expect(lines.at(-1)).toMatch(/^seed 2: perplexity [\d.]+, \d+ tokens\/sec/);
  });
});

test('examples/classifier recognises most waves', async () => {
  const output = await program('examples/classifier.js', ['--epochs', '8']);
  const [, right] = /(\d+) of 32 held-out waves recognised/.exec(output)!;
  expect(Number(right)).toBeGreaterThanOrEqual(27);
});

test('examples/from-scratch agrees with DeepLSTM', async () => {
  const sizes = ['--steps', '5', '--batch', '3', '--inputs', '4', '--hidden', '6'];
  const lines = (await program('examples/from-scratch.js', sizes)).trim().split('\n');
  // Output, two states, and the gradients of three inputs and eight weights.
  const block = 1 + 3 + 3 + 8;
  expect(lines).toHaveLength(2 * block);
  for (const [start, dtype, limit] of [
    [0, 'float64', 1e-12],
    [block, 'float32', 1e-5],
  ] as const) {
    expect(lines[start]).toBe(`${dtype}: largest difference, relative to the largest value`);
    for (const line of lines.slice(start + 1, start + block)) {
      const difference = Number(/ (\S+)$/.exec(line)![1]);
      expect(difference, line).toBeLessThanOrEqual(limit);
    }
  }
});

test('bench/responsiveness: the event loop stays free and memory flat', async () => {
  const report = JSON.parse(await program('bench/responsiveness.js', ['--steps', '600', '--hidden', '64', '--json']));
  expect(report.steps).toBeGreaterThanOrEqual(600);
  // Generous: the machine may be busy with other tests. Alone, p99 stays far below 20 ms.
  expect(report.delay.p99).toBeLessThan(100);
  expect(report.resident.after - report.resident.before).toBeLessThan(64);
  expect(report.buffers.after).toBeLessThanOrEqual(report.buffers.before + 8);
});
