/** The CUDA backend as it is published: the kernels are inside, and the host's part works, on the stand-in for a GPU. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Consumer, makeConsumer, succeed } from '../helpers/consumer.js';
import { root, runProgram } from '../helpers/programs.js';

/** As scripts/kernels.mjs has it: the way to release without kernels, on machines that cannot compile them. */
const without = process.env.DEEP_RNN_CUDA === 'OFF';
if (without) console.log('LEFT OUT: the CUDA backend of the published package; DEEP_RNN_CUDA=OFF.');

const parent = mkdtempSync(join(tmpdir(), 'deep-rnn-cuda-'));
afterAll(() => rmSync(parent, { recursive: true }));

let consumer: Consumer;
beforeAll(async () => {
  consumer = await makeConsumer(parent);
}, 300_000);

describe.runIf(process.platform === 'linux' && !without)('the published binary', () => {
  test('says which kernels it has, and why there is no GPU', async () => {
    const { stdout } = await succeed('npx', ['--no', 'deep-rnn', 'doctor'], { cwd: consumer.folder });
    expect(stdout).toContain(join(consumer.installed, 'prebuilds'));
    expect(stdout).toContain('kernels: sm_80 sm_90 sm_100 sm_120 compute_80\n');
    expect(stdout).toMatch(/CUDA driver: missing: none of libcuda\.so\.1 could be opened|GPU: (?!none)/);
  });

  test('trains on the stand-in as on the CPU', async () => {
    const build = join(root, 'build');
    await succeed('cmake', ['-S', root, '-B', build, '-DDEEP_RNN_GPU_SHIM=ON']);
    await succeed('cmake', ['--build', build, '--target', 'gpu_shim', '--config', 'Release']);
    const trained = await runProgram(process.execPath, ['cuda.mjs'], {
      cwd: consumer.folder,
      env: { DEEP_RNN_CUDA_PATH: join(build, 'gpu_shim'), DEEP_RNN_SHIM_ORDER: 'lazy' },
    });
    expect(trained).toMatchObject({ status: 0, stderr: '' });
    expect(trained.stdout).toMatch(/^trained on /);
  }, 900_000);
});
