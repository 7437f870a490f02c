/** What the binaries ask of the system that loads them: nothing newer than the floor, and nothing of NVIDIA's. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { load } from '../../src/native/load.js';
import { readSharedObject } from '../helpers/elf.js';
import { root } from '../helpers/programs.js';
import { isRelease } from '../helpers/release.js';

/** Ubuntu 22.04, RHEL 9, Debian 12 and Amazon Linux 2023 have these or newer ones. */
const FLOOR: Record<string, number[]> = { GLIBC: [2, 34], GLIBCXX: [3, 4, 29], CXXABI: [1, 3, 13], GCC: [11, 0] };
/** The glibc of Debian 12, where releases are built; on newer systems a build for the own use may need more. */
const RELEASE_GLIBC = [2, 36];

const LIBRARIES = /^(lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s)\.so\.\d+|ld-linux.*\.so\.\d+)$/;
const NVIDIA = /^(cu[A-Z]|cuda|cublas|cudnn|nvrtc|nccl|__cuda)/;

/** What scripts/prepack.mjs asks of a package. */
const { kernelsOf, published } = await import(pathToFileURL(join(root, 'scripts', 'kernels.mjs')).href);

const numbers = (version: string) => version.split('.').map(Number);

function exceeds(version: number[], floor: number[]): boolean {
  const difference = floor.map((part, i) => (version[i] ?? 0) - part).find((part) => part !== 0);
  return difference === undefined ? version.length > floor.length : difference > 0;
}

function tooNew(versions: string[]): string[] {
  return versions.filter((name) => {
    const [, family, version] = /^([A-Z]+)_([\d.]+)$/.exec(name) ?? [];
    return FLOOR[family] === undefined || exceeds(numbers(version), FLOOR[family]);
  });
}

const prebuilds = existsSync(join(root, 'prebuilds'))
  ? readdirSync(join(root, 'prebuilds'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.node'))
      .map((name) => join('prebuilds', name))
  : [];

const loaded = relative(root, load().path);
const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
const holdsFloor = header.glibcVersionRuntime && !exceeds(numbers(header.glibcVersionRuntime), RELEASE_GLIBC);

const binaries = [...new Set([loaded, ...prebuilds])].filter((name) => readFileSync(join(root, name))[0] === 0x7f);

describe.each(binaries)('%s', (name) => {
  const object = readSharedObject(readFileSync(join(root, name)));

  test('is read', () => {
    expect(object.undefinedSymbols).toContain('napi_create_function');
    expect(object.versions.length).toBeGreaterThan(5);
    expect(name === loaded ? process.arch : /linux-(\w+)/.exec(name)?.[1]).toBe(object.machine);
  });

  test.runIf(holdsFloor || prebuilds.includes(name))('needs nothing above the floor', () => {
    expect(tooNew(object.versions)).toEqual([]);
  });

  test('links nothing but the system, and leaves no symbol of NVIDIA undefined', () => {
    expect(object.libraries.filter((library) => !LIBRARIES.test(library))).toEqual([]);
    expect(object.undefinedSymbols.filter((symbol) => NVIDIA.test(symbol))).toEqual([]);
  });

  test.runIf(isRelease && prebuilds.includes(name))('carries the CUDA kernels that are published', () => {
    expect(kernelsOf(join(root, name))).toBe(published);
  });
});

test.runIf(isRelease)('a release has a binary for this platform', () => {
  expect(prebuilds.map((name) => name.split(sep)[1])).toContain(`${process.platform}-${process.arch}`);
});

test('the comparison of versions', () => {
  expect(tooNew(['GLIBC_2.34', 'GLIBC_2.2.5', 'GLIBCXX_3.4', 'GLIBCXX_3.4.29', 'CXXABI_1.3.9'])).toEqual([]);
  const newer = ['GLIBC_2.35', 'GLIBC_3.0', 'GLIBCXX_3.4.30', 'GLIBC_2.34.1', 'GLIBC_PRIVATE', 'ELSE_1.0'];
  expect(tooNew(newer)).toEqual(newer);
});
