// Builds the binaries that are published, into prebuilds/: this machine's own, and arm64 Linux where Debian's
// g++-aarch64-linux-gnu is there. `prebuilds.mjs x64` builds those named only.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch as hostArch, platform } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

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

async function build(arch, { options = {}, cmakeJs = [] } = {}) {
  // A folder for each, so that neither the developer's build nor the other architecture's is disturbed.
  const cwd = join(root, 'build-prebuilds', arch);
  mkdirSync(cwd, { recursive: true });
  const folder = join(root, 'prebuilds', `${platform()}-${arch}`);
  rmSync(folder, { recursive: true, force: true });
  process.env.DEEP_RNN_CMAKE_JS_ARGS = ['--CDDEEP_RNN_WERROR=ON', ...cmakeJs].join('\n');
  const nodeGyp = join(root, 'scripts', 'cmake-as-gyp.mjs');
  const common = { name: 'deep-rnn', napi: true, strip: true, tagLibc: platform() === 'linux' };
  await prebuildify({ ...common, cwd, out: root, platform: platform(), arch, nodeGyp, ...options });
  const file = join(folder, `deep-rnn${common.tagLibc ? '.glibc' : ''}.node`);
  console.log(`${relative(root, file)}: ${(statSync(file).size / 2 ** 20).toFixed(2)} MiB`);
}

const named = process.argv.slice(2);
const wanted = (arch) => named.length === 0 || named.includes(arch);
if (wanted(hostArch())) await build(hostArch());
for (const [arch, target] of Object.entries(crossed)) {
  if (arch === hostArch() || platform() !== 'linux' || !wanted(arch)) continue;
  if (exists(target.compiler)) await build(arch, target);
  else
    console.log(
      `LEFT OUT: the binary for ${arch}; ${target.compiler} not found (on Debian: apt-get install ${target.debian}).`,
    );
}
