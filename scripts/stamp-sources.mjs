// Notes in dist/ from which sources it was compiled, after `npm run build:ts`.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { hashSources } = await import('../dist/verify/source-hash.js');
const { typescript } = hashSources(root);
writeFileSync(new URL('../dist/source-hash.json', import.meta.url), `${JSON.stringify({ typescript })}\n`);
