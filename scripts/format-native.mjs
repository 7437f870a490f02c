// Formats the C++ and CUDA sources under native/; with --check it only lists the files that are not formatted and exits 1.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');
const clangFormat = createRequire(import.meta.url).resolve('clang-format/index.js');

const files = readdirSync(join(root, 'native'), { recursive: true })
  .filter((name) => /\.(h|cpp|cu)$/.test(name))
  .map((name) => join('native', name))
  .sort();

const mode = check ? ['--dry-run', '-Werror'] : ['-i'];
const unformatted = [];
for (const file of files) {
  const { status } = spawnSync(process.execPath, [clangFormat, ...mode, file], { cwd: root });
  if (status !== 0) unformatted.push(file);
}
if (unformatted.length > 0) {
  console.error(`${check ? 'Not formatted (npm run format mends them)' : 'Could not be formatted'}:`);
  for (const file of unformatted) console.error(`  ${file}`);
  process.exit(1);
}
