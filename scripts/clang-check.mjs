// Compiles everything native, tests included, with Clang and without the extensions of GNU; says so where there is no Clang.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = 'build-clang';

const exists = (command) => spawnSync(command, ['--version']).status === 0;

const versions = ['', ...Array.from({ length: 20 }, (_, i) => `-${33 - i}`)];
const clang = versions.map((version) => `clang++${version}`).find(exists);
if (clang === undefined) {
  console.log('LEFT OUT: the build with Clang; clang++ not found (on Debian: apt-get install clang-14).');
  process.exit(0);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw new Error(`${command} could not be started`, { cause: error });
  if (status !== 0) process.exit(status ?? 1);
}

const generator = exists('ninja') ? ['-G', 'Ninja'] : [];
// The kernels are nvcc's, so those of one architecture do.
const flags = [`-DCMAKE_CXX_COMPILER=${clang}`, '-DCMAKE_CXX_FLAGS=-pedantic', '-DDEEP_RNN_WERROR=ON'];
flags.push('-DDEEP_RNN_CUDA_ARCHITECTURES=90');
run('cmake', ['-S', '.', '-B', folder, ...generator, ...flags, '-DDEEP_RNN_TESTS=ON', '-DDEEP_RNN_ADDON=ON']);
run('cmake', ['--build', folder, '--parallel']);
run('ctest', ['--test-dir', folder, '--output-on-failure']);
