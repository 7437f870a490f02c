// Refuses to pack or publish without everything that the package promises; runs as npm's prepack.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelsOf, published } from './kernels.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const promised = {
  'dist/index.js': 'npm run build:ts',
  'prebuilds/linux-x64/deep-rnn.glibc.node': 'npm run prebuilds',
  'prebuilds/linux-arm64/deep-rnn.glibc.node': 'npm run prebuilds, with g++-aarch64-linux-gnu',
};
const complaints = Object.entries(promised).flatMap(([file, command]) => {
  const path = join(root, file);
  if (!existsSync(path)) return [`Expected ${file} in the package but it is missing: ${command}`];
  if (!file.endsWith('.node') || published === null || kernelsOf(path) === published) return [];
  return [
    `Expected CUDA kernels for ${published} in ${file} but received ${kernelsOf(path) ?? 'none'}: npm run nvidia, then ` +
      `${command}, with nvcc; DEEP_RNN_CUDA=OFF packs it without them`,
  ];
});
for (const complaint of complaints) console.error(complaint);
if (published === null) console.error('LEFT OUT: the CUDA kernels of the package; DEEP_RNN_CUDA=OFF.');
if (complaints.length > 0) process.exit(1);
