/** npm packs nothing that lacks what the package promises. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root, runNode } from '../helpers/programs.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-prepack-'));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ['kernels.mjs', 'prepack.mjs']) cpSync(join(root, 'scripts', name), join(folder, 'scripts', name));

const KERNELS = 'deep-rnn kernels: sm_80 sm_90 sm_100 sm_120 compute_80\0';
const binary = (arch: string) => `prebuilds/linux-${arch}/deep-rnn.glibc.node`;

function write(name: string, contents: string) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), contents);
}

const prepack = (DEEP_RNN_CUDA: string) =>
  runNode([join(folder, 'scripts', 'prepack.mjs')], { cwd: folder, env: { DEEP_RNN_CUDA } });

test('files must be there, with the CUDA kernels unless these are left out on purpose', async () => {
  const empty = await prepack('');
  expect(empty.status).toBe(1);
  for (const name of ['dist/index.js', binary('x64'), binary('arm64')])
    expect(empty.stderr).toContain(`Expected ${name} in the package but it is missing: npm run`);

  write('dist/index.js', '');
  write(binary('x64'), `before${KERNELS}after`);
  write(binary('arm64'), 'none');
  const { status, stderr } = await prepack('ON');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^Expected CUDA kernels for .* in prebuilds\/linux-arm64\/.* but received none: .*\n$/);
  expect((await prepack('OFF')).status).toBe(0);

  write(binary('arm64'), KERNELS);
  expect(await prepack('')).toEqual({ status: 0, stdout: '', stderr: '' });
});
