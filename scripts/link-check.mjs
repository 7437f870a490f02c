// Links what the CUDA backend calls against NVIDIA's own libraries, which `npm run nvidia` fetches; says so where it has not.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = 'build-link-check';
const libraries = ['cudnn', 'cu13'].map((name) => join(root, 'build-nvidia', 'nvidia', name, 'lib'));

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw new Error(`${command} could not be started`, { cause: error });
  if (status !== 0) process.exit(status ?? 1);
}

if (!libraries.every(existsSync)) {
  console.log(
    "LEFT OUT: linking against NVIDIA's libraries, which are not in build-nvidia (npm run nvidia fetches them).",
  );
  process.exit(process.env.DEEP_RNN_CUDA === 'ON' ? 1 : 0);
}
const options = ['-DDEEP_RNN_ADDON=OFF', '-DDEEP_RNN_CUDA=ON', `-DDEEP_RNN_LINK_CHECK=${libraries.join(':')}`];
run('cmake', ['-S', '.', '-B', folder, ...options]);
run('cmake', ['--build', folder, '--target', 'nvidia_link_check']);
run(join(root, folder, 'nvidia_link_check'), []);
