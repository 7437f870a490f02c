/** From which sources the running code was built, as its builds noted it. */
import { existsSync, readFileSync } from 'node:fs';
import { load } from '../native/load.js';
import type { SourceHashes } from './source-hash.js';

/** Written beside the compiled TypeScript by scripts/stamp-sources.mjs. */
const STAMP = new URL('../source-hash.json', import.meta.url);

/** `unknown` where a build left no note. */
export function readStamp(): SourceHashes {
  const typescript = existsSync(STAMP) ? JSON.parse(readFileSync(STAMP, 'utf8')).typescript : 'unknown';
  return { native: load().binding.sourceHash(), typescript };
}
