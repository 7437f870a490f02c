/** `deep-rnn build-native`: compiles the addon on a platform that no binary is supplied for. */
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { PACKAGE_ROOT } from '../package.js';
import { Arguments, UsageError } from './arguments.js';
import type { Command } from './command.js';

/** What to install where something is missing, by platform. */
const TOOLS: Partial<Record<NodeJS.Platform, string>> = {
  linux: `  Debian, Ubuntu   apt-get install cmake make g++
  Fedora, RHEL     dnf install cmake make gcc-c++
  Alpine           apk add cmake make g++`,
  darwin: '  xcode-select --install && brew install cmake',
  win32: '  winget install Kitware.CMake, and Visual Studio Build Tools with "Desktop development with C++"',
};
const OTHER_TOOLS = '  CMake >= 3.18, make or Ninja, and a C++17 compiler';

const needs = () =>
  `It takes CMake >= 3.18, make or Ninja, and a C++17 compiler:\n${TOOLS[process.platform] ?? OTHER_TOOLS}`;

export const buildNative: Command = {
  help: `Compiles the native binary of this package. npx fetches cmake-js, so the npm registry must be reachable.

Usage: deep-rnn build-native

${needs()}

On Linux, with nvcc and NVIDIA's headers (cuda.h, cublas_v2.h, cudnn.h; the packages nvidia-cudnn-cu13 and nvidia-cublas of PyPI
have the latter two), the CUDA backend is built as well. In the environment DEEP_RNN_CUDA=ON insists on it and OFF leaves it out;
DEEP_RNN_NVIDIA_INCLUDE names folders of headers, separated by colons, and DEEP_RNN_CUDA_ARCHITECTURES=90 compiles the kernels for
compute capability 9.0 and later only, which is quicker.
`,

  async run(args) {
    const { positionals } = new Arguments(args, {});
    if (positionals.length > 0) throw new UsageError(`Expected no argument but received ${positionals[0]}`);
    if (spawnSync('cmake', ['--version']).status !== 0) {
      console.error(`deep-rnn: cmake was not found. ${needs()}`);
      return 1;
    }
    // cmake-js is no dependency: users of supplied binaries never need it.
    const compile = ['cmake-js', 'compile', '-d', PACKAGE_ROOT, '--parallel', `${availableParallelism()}`];
    const status = await run(['npx', '--yes', '-p', 'cmake-js@8', ...compile]);
    console.log(status === 0 ? 'Built; deep-rnn doctor tests it.' : `deep-rnn: the build failed. ${needs()}`);
    return status;
  },
};

function run(command: string[]): Promise<number> {
  console.log(command.join(' '));
  const windows = process.platform === 'win32';
  const quoted = windows ? command.map((part) => (part.includes(' ') ? `"${part}"` : part)) : command;
  return new Promise((resolve, reject) => {
    // Windows starts npx, a batch file, only through a shell.
    const child = spawn(quoted[0], quoted.slice(1), { stdio: 'inherit', shell: windows });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}
