/** The package where no binary fits: built from the sources that it carries, and with node-gyp in a clone. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeConsumer, succeed } from '../helpers/consumer.js';
import { root, runProgram } from '../helpers/programs.js';

/** CUDA, where a release needs it: headers as a user would name them, and one architecture, since nvcc takes its time. */
const withCuda = process.env.DEEP_RNN_CUDA === 'ON';
const headers = ['cudnn', 'cu13'].map((name) => join(root, 'build-nvidia', 'nvidia', name, 'include'));
const env: NodeJS.ProcessEnv = withCuda
  ? { DEEP_RNN_NVIDIA_INCLUDE: headers.join(':'), DEEP_RNN_CUDA_ARCHITECTURES: '90' }
  : {};

const parent = mkdtempSync(join(tmpdir(), 'deep-rnn-source-'));
afterAll(() => rmSync(parent, { recursive: true }));

test('without a binary it says what to do, and build-native does it', async () => {
  const { folder, installed } = await makeConsumer(parent);
  rmSync(join(installed, 'prebuilds'), { recursive: true });
  const deepRnn = (command: string) => runProgram('npx', ['--no', 'deep-rnn', command], { cwd: folder });
  const before = await deepRnn('doctor');
  expect(before.status).toBe(1);
  expect(before.stdout).toContain('run `npx deep-rnn build-native`');

  await succeed('npx', ['--no', 'deep-rnn', 'build-native'], { cwd: folder, env });
  const after = await deepRnn('doctor');
  expect(after.stdout).toContain('built on this machine');
  expect(after.stdout).toContain('self-test passed');
  if (withCuda) expect(after.stdout).toContain('kernels: sm_90 compute_90\n');
  expect(after.status).toBe(0);
}, 900_000);

test('node-gyp rebuild delegates to CMake', async () => {
  const clone = join(parent, 'clone');
  mkdirSync(clone);
  const { stdout } = await succeed('git', [
    'ls-files',
    '-z',
    'native',
    'cmake',
    'CMakeLists.txt',
    'binding.gyp',
    'package.json',
  ]);
  for (const name of stdout.split('\0').filter(Boolean)) cpSync(join(root, name), join(clone, name));
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'), 'junction');

  const { stdout: global } = await succeed('npm', ['root', '--global']);
  const nodeGyp = join(global.trim(), 'npm', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  // node-gyp asks for Node's headers even where nothing includes them; those beside this Node save a download.
  const prefix = dirname(dirname(process.execPath));
  const nodeHeaders = existsSync(join(prefix, 'include', 'node', 'node_version.h')) ? [`--nodedir=${prefix}`] : [];
  await succeed(process.execPath, [nodeGyp, 'rebuild', ...nodeHeaders], { cwd: clone, env });

  const binary = join(clone, 'build', 'Release', 'deep_rnn.node');
  const program = `const { openDevice, describeDevice, cudaReport } = require(${JSON.stringify(binary)});
    console.log(describeDevice(openDevice(0, 1, 0)) + '\\n' + cudaReport());`;
  const { stdout: described } = await succeed(process.execPath, ['-e', program]);
  expect(described).toMatch(/^CPU, .*, 1 thread\n/);
  if (withCuda) expect(described).toContain('\nkernels: sm_90 compute_90\n');
}, 900_000);
