/** The package as its users get it: packed, and installed into a folder of theirs without scripts or a network. */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../../src/native/load.js';
import { type Finished, type RunOptions, requireBuild, root, runProgram } from './programs.js';
import { isRelease } from './release.js';

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** @throws Error with everything printed, when the program ends with another status than 0. */
export async function succeed(command: string, args: readonly string[], options?: RunOptions): Promise<Finished> {
  const finished = await runProgram(command, args, options);
  const { status, stdout, stderr } = finished;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
  return finished;
}

/** Packs a folder into another one; returns the path of the tarball. Scripts are off: what they make is there already. */
async function pack(folder: string, destination: string): Promise<string> {
  const args = ['pack', folder, '--ignore-scripts', '--json', '--pack-destination', destination];
  const { stdout } = await succeed('npm', args, { cwd: destination });
  return join(destination, JSON.parse(stdout)[0].filename);
}

/** Everything that is published; in place of prebuilds/, which a checkout need not have, the binary that it built for itself. */
function stage(folder: string): void {
  const others = ['package.json', 'README.md', 'LICENSE'];
  const listed = manifest.files.filter((name: string) => !name.startsWith('!') && name !== 'prebuilds');
  for (const name of [...others, ...listed]) cpSync(join(root, name), join(folder, name), { recursive: true });
  const prebuilds = join(folder, 'prebuilds', `${process.platform}-${process.arch}`);
  mkdirSync(prebuilds, { recursive: true });
  cpSync(load().path, join(prebuilds, 'deep-rnn.node'));
}

export interface Consumer {
  /** The user's folder, with the package in its node_modules and what test/package/consumer has. */
  folder: string;
  tarball: string;
  /** The installed package. */
  installed: string;
}

/** Packs the package and its two dependencies into `parent` and installs them into a folder there. */
export async function makeConsumer(parent: string): Promise<Consumer> {
  requireBuild();
  const folder = join(parent, 'consumer');
  mkdirSync(folder);
  let source = root;
  if (!isRelease) {
    source = join(parent, 'stage');
    mkdirSync(source);
    stage(source);
  }
  const tarball = await pack(source, parent);
  const dependencies = Object.keys(manifest.dependencies).map((name) => pack(join(root, 'node_modules', name), parent));
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true }\n');
  const args = ['install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund'];
  await succeed('npm', [...args, tarball, ...(await Promise.all(dependencies))], { cwd: folder });
  cpSync(join(root, 'test', 'package', 'consumer'), folder, { recursive: true });
  return { folder, tarball, installed: join(folder, 'node_modules', 'deep-rnn') };
}

/** Paths of the files in a folder, with slashes. */
export function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.replaceAll('\\', '/'));
}
