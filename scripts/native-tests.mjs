// Builds and runs the native tests: `native-tests.mjs` as a release build, `native-tests.mjs address thread` under sanitizers,
// `native-tests.mjs kernels` only those of the CUDA kernels on the host, under ASan and UBSan.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const builds = {
  release: ['build-native', '-DCMAKE_BUILD_TYPE=Release'],
  address: ['build-address', '-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DDEEP_RNN_SANITIZE=address'],
  kernels: ['build-address', '-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DDEEP_RNN_SANITIZE=address'],
  thread: ['build-thread', '-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DDEEP_RNN_SANITIZE=thread'],
};

function run(command, args, cwd = root) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (error) throw new Error(`${command} could not be started; the native tests need CMake >= 3.18`, { cause: error });
  if (status !== 0) process.exit(status ?? 1);
}

const names = process.argv.length > 2 ? process.argv.slice(2) : ['release'];
const unknown = names.find((name) => !Object.hasOwn(builds, name));
if (unknown !== undefined) {
  console.error(`Expected ${Object.keys(builds).join(', ')} for the build but received ${unknown}`);
  process.exit(2);
}
const hasNinja = spawnSync('ninja', ['--version']).status === 0;
for (const name of names) {
  const [folder, ...options] = builds[name];
  // None of them runs on a GPU, so the kernels need no nvcc; the host runs them itself.
  options.push('-DDEEP_RNN_CUDA=OFF');
  // Sanitizers make compilers warn of what is not there.
  if (process.env.CI && name === 'release') options.push('-DDEEP_RNN_WERROR=ON');
  console.log(`native tests: ${name}`);
  const generator = hasNinja ? ['-G', 'Ninja'] : [];
  run('cmake', ['-S', '.', '-B', folder, ...generator, '-DDEEP_RNN_TESTS=ON', '-DDEEP_RNN_ADDON=OFF', ...options]);
  const only = name === 'kernels';
  const target = only ? ['--target', 'host_cuda_tests'] : [];
  run('cmake', ['--build', folder, '--parallel', '--config', 'Release', ...target]);
  run('ctest', ['--output-on-failure', '-C', 'Release', ...(only ? ['-L', 'host_cuda'] : [])], join(root, folder));
}
