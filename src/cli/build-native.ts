/** `deep-rnn build-native`: compiles the addon on a platform that no binary is supplied for. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Arguments } from './arguments.js';
import type { Command } from './command.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const buildNative: Command = {
  help: `Compiles the native binary of this package, which takes CMake >= 3.18 and a C++17 compiler.

Usage: deep-rnn build-native
`,

  run(args) {
    new Arguments(args, {});
    // npx fetches cmake-js, which is no dependency: users of supplied binaries never need it.
    const command = ['npx', '--yes', '-p', 'cmake-js@8', 'cmake-js', 'compile', '-d', ROOT];
    console.log(command.join(' '));
    const windows = process.platform === 'win32';
    const quoted = windows ? command.map((part) => (part.includes(' ') ? `"${part}"` : part)) : command;
    return new Promise<number>((resolve, reject) => {
      // Windows starts npx, a batch file, only through a shell.
      const child = spawn(quoted[0], quoted.slice(1), { stdio: 'inherit', shell: windows });
      child.on('error', reject);
      child.on('close', (status) => resolve(status ?? 1));
    });
  },
};
