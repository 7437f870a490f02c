#!/usr/bin/env node
// Stands in for node-gyp where prebuildify calls it: builds with cmake-js into build/ of the folder it is started in.
// Of node-gyp's options only --arch means the same to cmake-js; --target, a Node version, would name a CMake target.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const arch = process.argv.find((argument) => argument.startsWith('--arch='));
const more = process.env.DEEP_RNN_CMAKE_JS_ARGS?.split('\n') ?? [];
const args = ['build', '-d', root, '--out', resolve('build'), ...(arch ? [arch] : []), ...more];
const { status, error } = spawnSync(process.execPath, [cmakeJs, ...args], { stdio: 'inherit' });
if (error) throw error;
process.exit(status ?? 1);
