// Builds the binaries that are published, into prebuilds/: this machine's own, and arm64 Linux where Debian's
// g++-aarch64-linux-gnu is there. `prebuilds.mjs x64` builds those named only. With the CUDA kernels where nvcc and NVIDIA's headers
// are; says so where not.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch as hostArch, platform } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { kernelsOf, published } from './kernels.mjs';

const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'));
const root = fileURLToPath(new URL('..', import.meta.url));
const toolchain = join(root, 'cmake', 'aarch64.cmake');
const crossed = {
  arm64: {
    compiler: 'aarch64-linux-gnu-g++',
    debian: 'g++-aarch64-linux-gnu',
    options: { stripBin: 'aarch64-linux-gnu-strip' },
    cmakeJs: [`--CDCMAKE_TOOLCHAIN_FILE=${toolchain}`],
  },
};

const exists = (command) => spawnSync(command, ['--version']).status === 0;

/** Returns what its CUDA kernels are for, or null. */
async function build(arch, { options = {}, cmakeJs = [] } = {}) {
  // A folder for each, so that neither the developer's build nor the other architecture's is disturbed.
  const cwd = join(root, 'build-prebuilds', arch);
  mkdirSync(cwd, { recursive: true });
  const folder = join(root, 'prebuilds', `${platform()}-${arch}`);
  rmSync(folder, { recursive: true, force: true });
  // Named, so that what an earlier run left in the folder does not count.
  const cuda = `--CDDEEP_RNN_CUDA=${process.env.DEEP_RNN_CUDA ?? 'AUTO'}`;
  process.env.DEEP_RNN_CMAKE_JS_ARGS = ['--CDDEEP_RNN_WERROR=ON', cuda, ...cmakeJs].join('\n');
  const nodeGyp = join(root, 'scripts', 'cmake-as-gyp.mjs');
  const common = { name: 'deep-rnn', napi: true, strip: true, tagLibc: platform() === 'linux' };
  await prebuildify({ ...common, cwd, out: root, platform: platform(), arch, nodeGyp, ...options });
  const file = join(folder, `deep-rnn${common.tagLibc ? '.glibc' : ''}.node`);
  const kernels = kernelsOf(file);
  const size = `${(statSync(file).size / 2 ** 20).toFixed(2)} MiB`;
  console.log(`${relative(root, file)}: ${size}, ${kernels ? `CUDA kernels for ${kernels}` : 'no CUDA kernels'}`);
  if (!kernels)
    console.log(
      `LEFT OUT: the CUDA backend of the binary for ${arch}; ` +
        (published
          ? "it takes nvcc and NVIDIA's headers (npm run nvidia); npm will not publish it."
          : 'DEEP_RNN_CUDA=OFF.'),
    );
  return kernels;
}

const named = process.argv.slice(2);
const wanted = (arch) => named.length === 0 || named.includes(arch);
const own = wanted(hostArch()) ? await build(hostArch()) : null;
// Compiling the kernels takes a minute, and they are the same for every processor.
const compiled = join(root, 'build-prebuilds', hostArch(), 'build', 'kernels.fatbin');
const kernels = own ? [`--CDDEEP_RNN_KERNELS=${compiled}`] : [];
for (const [arch, target] of Object.entries(crossed)) {
  if (arch === hostArch() || platform() !== 'linux' || !wanted(arch)) continue;
  if (exists(target.compiler)) await build(arch, { ...target, cmakeJs: [...target.cmakeJs, ...kernels] });
  else
    console.log(
      `LEFT OUT: the binary for ${arch}; ${target.compiler} not found (on Debian: apt-get install ${target.debian}).`,
    );
}
