/** Loads the addon: a local build or the prebuilt binary of this platform, else an error that says what to do. */
import { createRequire } from 'node:module';
import { join, resolve, sep } from 'node:path';
import { DeviceError } from '../errors.js';
import { PACKAGE_ROOT } from '../package.js';
import type { Binding } from './binding.js';

/** node-gyp-build, which comes without types. */
interface Loader {
  resolve(root: string): string;
}

const platform = `${process.platform}-${process.arch}`;

export interface Loaded {
  binding: Binding;
  /** Where the binary lies. */
  path: string;
  /** Why it was taken, in words. */
  origin: string;
}

function originOf(path: string): string {
  const folder = process.env.DEEP_RNN_PREBUILD;
  if (folder && path.startsWith(resolve(folder))) return 'in the folder that DEEP_RNN_PREBUILD names';
  if (path.startsWith(join(PACKAGE_ROOT, 'prebuilds', sep))) return `supplied with the package for ${platform}`;
  if (path.startsWith(join(PACKAGE_ROOT, 'build', sep)))
    return 'built on this machine, which goes before a supplied one';
  return 'found beside the executable that runs this program';
}

/**
 * Loads the addon: a local build, else the binary supplied for this platform.
 *
 * @throws {DeviceError} When there is no binary for this platform, or it does not load.
 */
export function load(): Loaded {
  const require = createRequire(import.meta.url);
  const loader = require('node-gyp-build') as Loader;
  try {
    const path = loader.resolve(PACKAGE_ROOT);
    return { binding: require(path), path, origin: originOf(path) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new DeviceError(
      `no native binary of deep-rnn loads on ${platform}: run \`npx deep-rnn build-native\`, ` +
        `which needs CMake >= 3.18, make or Ninja, and a C++17 compiler (${reason})`,
      { cause },
    );
  }
}
