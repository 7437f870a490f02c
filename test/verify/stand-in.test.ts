import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CudaRow } from '../../src/bench/cuda.js';
import type { VerificationRecord } from '../../src/verify/record.js';
import { requireBuild, root, runNode } from '../helpers/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-verify-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(requireBuild);

const main = join(root, 'dist', 'cli', 'main.js');

// `npm run test:cuda` runs this; elsewhere there is neither a GPU nor its stand-in.
describe.runIf(process.env.DEEP_RNN_DEVICE === 'cuda')('on the stand-in for a GPU', () => {
  test('verify-gpu runs to its end, says what it ran on and keeps no record', async () => {
    const json = join(folder, 'record.json');
    const before = existsSync(join(root, 'verification'));
    const { status, stdout, stderr } = await runNode([main, 'verify-gpu', '--quick', '--json', json]);
    expect(stdout).toContain('This is not a GPU');
    expect(stderr).toContain('Nothing is written under verification/');
    expect(existsSync(join(root, 'verification'))).toBe(before);
    const record: VerificationRecord = JSON.parse(readFileSync(json, 'utf8'));
    expect(record.isGpu).toBe(false);
    expect(record.steps.map(({ name, fault }) => [name, fault])).toEqual(
      record.steps.map(({ name }) => [name, undefined]),
    );
    const failed = record.steps.flatMap(({ checks }) => checks).filter(({ outcome }) => outcome === 'failed');
    expect(failed).toEqual([]);
    // Two kernels that the backend has no use for yet.
    const unused = /^(clip_norm|dropout)_/;
    expect(record.untouchedKernels.filter((kernel) => !unused.test(kernel))).toEqual([]);
    expect(status).toBe(0);
    expect(Object.keys(record.steps[0].facts!)).toContain('cuDNN');
    const claims = record.steps.find(({ name }) => name === 'assumptions')!.checks;
    expect(claims.length).toBeGreaterThan(20);
    // The stand-in ends the process where gradients come in the wrong order: an answer about this question alone.
    expect(claims.filter(({ detail }) => detail.startsWith('no answer'))).toHaveLength(1);
  });

  test('bench --device cuda marks its times', async () => {
    const args = [main, 'bench', '--device', 'cuda', '--only', '2x256', '--rounds', '1', '--seconds', '0'];
    const results = join(root, 'bench', 'results', 'cuda-gpu-shim-no-gpu-.json');
    const table = await runNode(args);
    expect(table.status, table.stderr).toBe(0);
    expect(table.stdout).toMatch(/^NOT a GPU/);
    expect(table.stdout).toContain('137071 tokens/s');
    const { status, stdout } = await runNode([...args, '--json']);
    expect(status).toBe(0);
    const { isGpu, rows } = JSON.parse(stdout) as { isGpu: boolean; rows: CudaRow[] };
    expect(isGpu).toBe(false);
    expect(rows.map(({ task }) => task)).toContain('stack');
    for (const { bare, overhead, tokensPerSecond } of rows) {
      expect(bare.STANDARD).toHaveProperty('backwardWeights');
      expect(overhead).toBeGreaterThan(0);
      expect(tokensPerSecond).toBeGreaterThan(0);
    }
    expect(existsSync(results)).toBe(false);
  });
});
