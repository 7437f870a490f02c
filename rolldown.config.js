// The published JavaScript: a file for each way in and a few that these share, so that an import reads a handful instead of a
// hundred. The declarations beside them come from tsc.
import { readdirSync } from 'node:fs';
import { defineConfig } from 'rolldown';

const names = [
  'index',
  'cli/main',
  'verify/step-process',
  'verify/source-hash',
  ...readdirSync('src/bench').map((name) => `bench/${name.replace(/\.ts$/, '')}`),
];

export default defineConfig({
  input: Object.fromEntries(names.map((name) => [name, `src/${name}.ts`])),
  platform: 'node',
  logLevel: 'warn',
  transform: { target: 'es2022' },
  external: [/^node:/, 'node-gyp-build'],
  output: {
    dir: 'dist',
    cleanDir: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
  },
});
