#!/usr/bin/env node
/** The command line: `deep-rnn train | generate | bench | doctor | verify-gpu | build-native`. */
import { DeepRnnError } from '../errors.js';
import { packageVersion } from '../package.js';
import { UsageError } from './arguments.js';
import type { Command } from './command.js';

// Imported when asked for, so that help and version work where the native binary does not load.
const COMMANDS: Record<string, () => Promise<Command>> = {
  train: async () => (await import('./train.js')).train,
  generate: async () => (await import('./generate.js')).generate,
  bench: async () => (await import('./bench.js')).bench,
  doctor: async () => (await import('./doctor.js')).doctor,
  'verify-gpu': async () => (await import('./verify-gpu.js')).verifyGpu,
  'build-native': async () => (await import('./build-native.js')).buildNative,
};

const HELP = `Trains deep recurrent networks and lets them write.

Usage: deep-rnn <command> [options]

  train <file...>              train a language model on text
  generate <model>             let a trained model continue a text
  bench                        measure the speed of this machine
  doctor                       show what this installation can do, and test it
  verify-gpu                   show that this machine's GPU computes what it should
  build-native                 compile the native binary where none is supplied

  deep-rnn <command> --help    the options of a command
  deep-rnn --version
`;

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    console.log(packageVersion());
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new UsageError(`Unknown command ${JSON.stringify(name)}; there are ${Object.keys(COMMANDS).join(', ')}`);
  }
  const command = await COMMANDS[name]();
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(command.help);
    return 0;
  }
  return command.run(rest);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`deep-rnn: ${error.message}. See deep-rnn --help`);
    process.exitCode = 2;
  } else {
    // What this package or the file system says is meant for people; anything else is a fault, shown in full.
    const known = error instanceof DeepRnnError || (error as NodeJS.ErrnoException).code !== undefined;
    console.error(known ? `deep-rnn: ${(error as Error).message}` : error);
    process.exitCode = 1;
  }
}
