/** From which sources something was made: what ties a record of a verification to the code that it verified. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** SHA-256 in hexadecimal digits of what the native build reads, and of the TypeScript. */
export interface SourceHashes {
  native: string;
  typescript: string;
}

function filesUnder(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

/** The hash of the lines "<hash of the file>  <path>" in order, as cmake/source_hash.cmake makes it. */
function hashFiles(root: string, paths: readonly string[]): string {
  const hash = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
  const lines = [...paths].sort().map((path) => `${hash(readFileSync(join(root, path)))}  ${path}\n`);
  return hash(lines.join(''));
}

/** Of a checkout, or of the native part alone where there is no src/. */
export function hashSources(root: string): SourceHashes {
  const native = [...filesUnder(root, 'native'), ...filesUnder(root, 'cmake'), 'CMakeLists.txt'];
  return {
    native: hashFiles(
      root,
      native.filter((path) => !path.startsWith('native/test/')),
    ),
    typescript: hashFiles(root, filesUnder(root, 'src')),
  };
}
