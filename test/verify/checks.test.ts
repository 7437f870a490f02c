import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Check, Checks, Comparison, LeftOut, relativeDifference } from '../../src/verify/checks.js';
import { toMarkdown, type VerificationRecord } from '../../src/verify/record.js';
import { hashSources } from '../../src/verify/source-hash.js';
import { requireBuild, root, runNode } from '../helpers/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-checks-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(requireBuild);

describe('checks', () => {
  test('go on after a failure and tell each', async () => {
    const told: Check[] = [];
    const checks = new Checks((check) => told.push(check));
    await checks.check('fine', () => 'as it should');
    await checks.check('wrong', () => Promise.reject(new Error('by far\nand more')));
    await checks.check('impossible', () => {
      throw new LeftOut('no such thing here');
    });
    expect(told).toEqual([
      { name: 'fine', outcome: 'passed', detail: 'as it should' },
      { name: 'wrong', outcome: 'failed', detail: 'by far' },
      { name: 'impossible', outcome: 'left out', detail: 'no such thing here' },
    ]);
  });

  test('compare numbers relative to the largest', () => {
    expect(relativeDifference([1, 2, 4], Float32Array.of(1, 2, 4))).toBe(0);
    expect(relativeDifference([1, 4.4], [1, 4])).toBeCloseTo(0.1, 12);
    expect(relativeDifference([1], [1, 2])).toBe(Infinity);
    expect(relativeDifference([Number.NaN], [1])).toBe(Infinity);
    const comparison = new Comparison(0.2);
    comparison.close('first', [1, 4.4], [1, 4]);
    expect(String(comparison)).toBe('within 1.0e-1 (first), allowed is 0.2');
    expect(() => comparison.close('second', [8], [4])).toThrow('second differs by 1.0e+0, allowed is 0.2');
  });
});

test('a record as Markdown shows what failed, and every assumption', () => {
  const step = { about: 'About.', seconds: 1, kernels: [] };
  const passed: Check = { name: 'a | b', outcome: 'passed', detail: 'CONFIRMED: 1' };
  const failed: Check = { name: 'c', outcome: 'failed', detail: 'by 2' };
  const record: VerificationRecord = {
    format: 1,
    version: '1.2.3',
    date: '2026-01-01',
    gpu: 'a GPU',
    isGpu: true,
    quick: false,
    sources: { native: 'n'.repeat(64), typescript: 't'.repeat(64) },
    steps: [
      { ...step, name: 'stacks', checks: [passed, failed] },
      { ...step, name: 'assumptions', checks: [passed], fault: 'stopped after 3 s' },
    ],
    untouchedKernels: ['copy'],
    kernelCount: 3,
    passed: false,
  };
  const text = toMarkdown(record);
  expect(text).toContain('# deep-rnn 1.2.3 on a GPU');
  expect(text).toContain('Kernels launched: 2 of 3; not: copy.');
  expect(text).toContain('1 passed, 1 failed; 1.0 s.');
  expect(text).toContain('| c | **failed** | by 2 |');
  expect(text.match(/a \\\| b/g)).toHaveLength(1);
  expect(text).toContain('did not end well: stopped after 3 s');
});

test('both builds hash the native sources alike', () => {
  const header = join(folder, 'source_hash.h');
  const { status, stderr } = spawnSync(
    'cmake',
    [`-DROOT=${root.replace(/\/$/, '')}`, `-DOUTPUT=${header}`, '-P', join(root, 'cmake', 'source_hash.cmake')],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { native, typescript } = hashSources(root);
  expect(readFileSync(header, 'utf8')).toBe(`#define DEEP_RNN_SOURCE_HASH "${native}"\n`);
  expect(typescript).toMatch(/^[0-9a-f]{64}$/);
});

describe('verify-gpu', () => {
  const main = join(root, 'dist', 'cli', 'main.js');
  const env = { CUDA_VISIBLE_DEVICES: '' };

  test('without a GPU gives the reasons and status 1', async () => {
    const { status, stdout, stderr } = await runNode([main, 'verify-gpu'], { env });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('deep-rnn: Expected a CUDA device but');
    expect(stderr.trimEnd().split('\n').length).toBeGreaterThan(2);
  });

  test('refuses unknown steps', async () => {
    const { status, stderr } = await runNode([main, 'verify-gpu', '--only', 'stacks,dance'], { env });
    expect(status).toBe(2);
    expect(stderr).toContain('joined by commas, for --only but received "stacks,dance"');
  });

  test('CI is told whether a record covers the sources', async () => {
    const { status, stdout } = await runNode([join(root, 'scripts', 'verification.mjs')]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^GPU verification: /);
  });
});
