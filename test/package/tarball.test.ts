/** The published package, from its tarball to programs that use it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Consumer, filesOf, makeConsumer, manifest } from '../helpers/consumer.js';
import { root, runNode, runProgram } from '../helpers/programs.js';

const parent = mkdtempSync(join(tmpdir(), 'deep-rnn-package-'));
afterAll(() => rmSync(parent, { recursive: true }));

let consumer: Consumer;
beforeAll(async () => {
  consumer = await makeConsumer(parent);
}, 300_000);

describe('the tarball', () => {
  test('has what is promised, nothing else, and below 8 MB', () => {
    const files = filesOf(consumer.installed);
    const verification = ['dist/verify/step-process.js', 'dist/source-hash.json'];
    const rest = ['dist/index.js', 'dist/index.d.ts', 'native/core/backend.h', 'CMakeLists.txt', 'LICENSE'];
    for (const name of [...rest, ...verification]) expect(files).toContain(name);
    expect(files.filter((name) => name.startsWith(`prebuilds/${process.platform}-${process.arch}/`))).toHaveLength(1);
    const places = /^(dist|prebuilds|native|cmake)\/|^(package\.json|README\.md|LICENSE|CMakeLists\.txt)$/;
    expect(files.filter((name) => !places.test(name))).toEqual([]);
    expect(files.filter((name) => /^native\/test|\.tsbuildinfo$/.test(name))).toEqual([]);
    expect(statSync(consumer.tarball).size).toBeLessThan(8e6);
  });

  test('has nothing that NVIDIA wrote, and git ignores the folder where that is', () => {
    const sources = filesOf(consumer.installed).filter((name) => name.startsWith('native/'));
    expect(sources.length).toBeGreaterThan(50);
    const wrote = /NVIDIA Corporation|CUDNN_LIBRARY_VERSION|CUBLASAPI/;
    expect(sources.filter((name) => wrote.test(readFileSync(join(consumer.installed, name), 'latin1')))).toEqual([]);
    expect(readFileSync(join(root, '.gitignore'), 'utf8')).toMatch(/^build-\*\/$/m);
  });

  test('runs nothing when it is installed', () => {
    const installed = JSON.parse(readFileSync(join(consumer.installed, 'package.json'), 'utf8'));
    for (const script of ['preinstall', 'install', 'postinstall']) expect(installed.scripts).not.toHaveProperty(script);
    expect(installed.gypfile).toBe(false);
    expect(Object.keys(installed.dependencies)).toEqual(['node-addon-api', 'node-gyp-build']);
    expect(installed).not.toHaveProperty('os');
    expect(installed).not.toHaveProperty('cpu');
  });

  test('pleases publint', async () => {
    const { messages } = await publint({ pkgDir: consumer.installed, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, manifest))).toEqual([]);
  });
});

describe('a program that uses it', () => {
  const inFolder = (args: string[]) => runNode(args, { cwd: consumer.folder });

  test('imports, trains, and does so in worker threads too', async () => {
    const finished = await inFolder(['smoke.mjs']);
    expect(finished).toMatchObject({ status: 0, stderr: '' });
    expect(finished.stdout).toMatch(/^smoke passed on CPU/);
  });

  test('requires it', async () => {
    expect(await inFolder(['smoke.cjs'])).toEqual({ status: 0, stdout: 'require passed\n', stderr: '' });
  });

  test('runs its command', async () => {
    const { status, stdout } = await runProgram('npx', ['--no', 'deep-rnn', 'doctor'], { cwd: consumer.folder });
    expect(stdout).toContain('passed');
    expect(stdout).toContain(join(consumer.installed, 'prebuilds'));
    expect(status).toBe(0);
    const verification = await runProgram('npx', ['--no', 'deep-rnn', 'verify-gpu'], {
      cwd: consumer.folder,
      env: { CUDA_VISIBLE_DEVICES: '' },
    });
    expect(verification.stderr).toContain('deep-rnn: Expected a CUDA device but');
    expect(verification.status).toBe(1);
  });
});

describe('a program in TypeScript', () => {
  const cases: [string, string[], ts.CompilerOptions][] = [
    [
      'NodeNext, as CommonJS and as a module, with the types of Node',
      ['usage.ts', 'usage.mts'],
      {
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        typeRoots: [join(root, 'node_modules', '@types')],
        types: ['node'],
      },
    ],
    [
      'Bundler, with the types of a browser',
      ['usage.ts'],
      {
        module: ts.ModuleKind.ESNext,
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
        types: [],
      },
    ],
  ];

  test.each(cases)(
    'type-checks under %s',
    (_name, files, options) => {
      cpSync(join(consumer.folder, 'usage.ts'), join(consumer.folder, 'usage.mts'));
      const program = ts.createProgram(
        files.map((name) => join(consumer.folder, name)),
        {
          target: ts.ScriptTarget.ES2022,
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          skipDefaultLibCheck: true,
          ...options,
        },
      );
      const host = {
        getCanonicalFileName: (name: string) => name,
        getCurrentDirectory: () => root,
        getNewLine: () => '\n',
      };
      expect(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host)).toBe('');
    },
    180_000,
  );
});
