/** From which sources the running code was built, as its builds noted it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../native/load.js';
import { PACKAGE_ROOT } from '../package.js';
import type { SourceHashes } from './source-hash.js';

/** Written beside the compiled TypeScript by scripts/stamp-sources.mjs. */
const STAMP = join(PACKAGE_ROOT, 'dist', 'source-hash.json');

/** `unknown` where a build left no note. */
export function readStamp(): SourceHashes {
  const typescript = existsSync(STAMP) ? JSON.parse(readFileSync(STAMP, 'utf8')).typescript : 'unknown';
  return { native: load().binding.sourceHash(), typescript };
}
