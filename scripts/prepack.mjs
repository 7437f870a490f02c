// Refuses to pack or publish without everything that the package promises; runs as npm's prepack.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const promised = {
  'dist/index.js': 'npm run build:ts',
  'prebuilds/linux-x64/deep-rnn.glibc.node': 'npm run prebuilds',
  'prebuilds/linux-arm64/deep-rnn.glibc.node': 'npm run prebuilds, with g++-aarch64-linux-gnu',
};
const missing = Object.entries(promised).filter(([file]) => !existsSync(join(root, file)));
for (const [file, command] of missing) console.error(`Expected ${file} in the package but it is missing: ${command}`);
if (missing.length > 0) process.exit(1);
