// Cross-builds the native tests for arm64 Linux and runs them under QEMU; without these tools it says so and ends well.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = 'build-arm64';

const exists = (command) => spawnSync(command, ['--version']).status === 0;

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw new Error(`${command} could not be started; the native tests need CMake >= 3.20`, { cause: error });
  if (status !== 0) process.exit(status ?? 1);
}

const tools = [
  { commands: ['aarch64-linux-gnu-g++'], debian: 'g++-aarch64-linux-gnu' },
  { commands: ['qemu-aarch64-static', 'qemu-aarch64'], debian: 'qemu-user-static' },
];
const missing = tools.filter(({ commands }) => !commands.some(exists));
if (missing.length > 0) {
  const commands = missing.map((tool) => tool.commands.join(' or ')).join(' and ');
  const packages = missing.map((tool) => tool.debian).join(' ');
  console.log(`LEFT OUT: the arm64 tests; ${commands} not found (on Debian: apt-get install ${packages}).`);
  process.exit(0);
}

const generator = exists('ninja') ? ['-G', 'Ninja'] : [];
const options = ['-DDEEP_RNN_TESTS=ON', '-DDEEP_RNN_ADDON=OFF', '-DDEEP_RNN_CUDA=OFF'];
options.push(`-DCMAKE_TOOLCHAIN_FILE=${join(root, 'cmake', 'aarch64.cmake')}`);
run('cmake', ['-S', '.', '-B', folder, ...generator, ...options]);
run('cmake', ['--build', folder, '--parallel']);
// The CUDA kernels are about the GPU, not about this processor, and QEMU switches their fibers slowly; launch_test has them.
run('ctest', ['--test-dir', folder, '--output-on-failure', '--exclude-regex', '_kernels_test$']);
