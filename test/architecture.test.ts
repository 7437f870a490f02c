import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { root } from './helpers/programs.js';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

const filesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));

/** The lines of the tree in docs/architecture.md under `src/`: the rooms, each by its files and folders, the highest first. */
function roomsOfTree(): string[][] {
  const [, tree] = /^src\/\n(.*?)^\S/ms.exec(read('docs/architecture.md'))!;
  return tree
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [names] = line.trim().split(/ {2,}/);
      return names.split(' ').map((name) => `src/${name}`);
    });
}

const rooms = roomsOfTree();
const roomOf = (file: string) =>
  rooms.findIndex((names) => names.some((name) => (name.endsWith('/') ? file.startsWith(name) : file === name)));

test('every file of src/ has a room', () => {
  expect(filesIn('src').filter((file) => roomOf(file) < 0)).toEqual([]);
});

test('imports in src/ point downwards', () => {
  const upward: string[] = [];
  let imports = 0;
  for (const file of filesIn('src')) {
    for (const { fileName } of ts.preProcessFile(read(file)).importedFiles) {
      if (!fileName.startsWith('.')) continue;
      const target = posix.join(posix.dirname(file), fileName).replace(/js$/, 'ts');
      imports++;
      if (!(roomOf(target) >= roomOf(file))) upward.push(`${file} -> ${target}`);
    }
  }
  expect(upward).toEqual([]);
  expect(imports).toBeGreaterThan(300);
});

test.each([
  ['core', ['cpu', 'cuda', 'addon']],
  ['cpu', ['cuda', 'addon']],
  ['cuda', ['cpu', 'addon']],
  ['addon', ['cpu', 'cuda']],
])('native/%s knows nothing of %j', (folder, others) => {
  const includes = filesIn(`native/${folder}`).flatMap((file) =>
    [...read(file).matchAll(/^#include "(.*)"/gm)].map(([, included]) => ({ file, included })),
  );
  expect(includes.length).toBeGreaterThan(0);
  expect(includes.filter(({ included }) => others.some((other) => included.split('/').includes(other)))).toEqual([]);
});

test('no source file is longer than 600 lines', () => {
  const sources = [...filesIn('src'), ...filesIn('native')].filter((file) => !file.startsWith('native/test/'));
  const long = sources.filter((file) => read(file).split('\n').length > 601);
  expect(long).toEqual([]);
});
