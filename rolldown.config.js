// The published JavaScript: the library in one file, which all ways in share, a file for each way in, and a few that some of them
// share. An import reads two files instead of a hundred. Comments stay in the declarations beside them, which come from tsc.
import { readdirSync } from 'node:fs';
import { defineConfig } from 'rolldown';

const names = [
  'index',
  'cli/main',
  'verify/step-process',
  'verify/source-hash',
  ...readdirSync('src/bench').map((name) => `bench/${name.replace(/\.ts$/, '')}`),
];

const library = /[\\/]src[\\/](?!(bench|cli|verify)[\\/])/;

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
    comments: false,
    codeSplitting: { groups: [{ name: 'library', test: library }] },
  },
});
