// Tests the CUDA backend without a GPU, on the stand-in of native/test/gpu_shim: `cuda-tests.mjs [eager|lazy|random ...]`, lazy
// when nothing is named. Takes the addon that `npm run build` made; says so where that has no CUDA backend, and fails under CI.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const ORDERS = ['eager', 'lazy', 'random'];
function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (error) throw new Error(`${command} could not be started`, { cause: error });
  if (status !== 0) process.exit(status ?? 1);
}

const named = process.argv.slice(2);
const unknown = named.find((name) => !ORDERS.includes(name));
if (unknown !== undefined) {
  console.error(`Expected ${ORDERS.join(', ')} for the order but received ${unknown}`);
  process.exit(2);
}
const report = createRequire(import.meta.url)('node-gyp-build')(root).cudaReport();
if (report.startsWith('backend:')) {
  console.error(`The tests of the CUDA backend are LEFT OUT: ${report.trim()}`);
  process.exit(process.env.CI ? 1 : 0);
}
run('cmake', ['-S', '.', '-B', 'build', '-DDEEP_RNN_GPU_SHIM=ON']);
run('cmake', ['--build', 'build', '--target', 'gpu_shim', 'gpu_shim_tests', '--config', 'Release']);
const shim = join(root, 'build', 'gpu_shim');
const cudnn = join(root, 'build-nvidia', 'nvidia', 'cudnn', 'lib');
const real = existsSync(cudnn) ? { DEEP_RNN_REAL_CUDNN: process.env.DEEP_RNN_REAL_CUDNN ?? cudnn } : {};
run(join(shim, 'gpu_shim_descriptors_test'), [shim], real);
run(join(shim, 'gpu_shim_mistakes_test'), [shim]);
for (const order of named.length > 0 ? named : ['lazy']) {
  console.log(`CUDA backend on the GPU shim, order ${order}`);
  run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.cuda.config.ts'], {
    DEEP_RNN_DEVICE: 'cuda',
    DEEP_RNN_CUDA_PATH: shim,
    DEEP_RNN_SHIM_ORDER: order,
    // Nothing measured on the stand-in belongs into anybody's cache.
    DEEP_RNN_TUNING_CACHE: process.env.DEEP_RNN_TUNING_CACHE ?? 'off',
    // Tuning takes several passes for each; test/nn/algorithms.test.ts has its own settings.
    DEEP_RNN_ALGORITHM: process.env.DEEP_RNN_ALGORITHM ?? 'standard',
  });
}
