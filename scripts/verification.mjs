// Says which records of `deep-rnn verify-gpu` there are under verification/, and whether they cover the present sources. Only
// informs: no change can be asked to come with a GPU.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tool = new URL('../dist/verify/source-hash.js', import.meta.url);
if (!existsSync(tool)) {
  console.log('GPU verification: not looked at, since `npm run build:ts` has not run');
  process.exit(0);
}
const present = (await import(tool)).hashSources(root);
const folder = join(root, 'verification');
const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
if (names.length === 0) console.log('GPU verification: NONE recorded; nothing has been shown to run on a GPU');
for (const name of names) {
  const { gpu, date, passed, sources } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const changed = Object.keys(present).filter((part) => present[part] !== sources[part]);
  const state = changed.length === 0 ? 'covers the present sources' : `STALE, changed since: ${changed.join(', ')}`;
  console.log(`GPU verification: ${name}, ${gpu}, ${date}, ${passed ? 'passed' : 'FAILED'}: ${state}`);
}
