/** Loads the addon: a local build or the prebuilt binary of this platform, else an error that says what to do. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { DeviceError } from '../errors.js';
import type { Binding } from './binding.js';

/** node-gyp-build's loader, which comes without types. */
interface Loader {
  (root: string): Binding;
  resolve(root: string): string;
}

/** The package's root: two levels above src/native and dist/native alike. */
const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Loads the addon and says where it lies.
 *
 * @throws {DeviceError} When there is no binary for this platform, or it does not load.
 */
export function load(): { binding: Binding; path: string } {
  const loader = createRequire(import.meta.url)('node-gyp-build') as Loader;
  try {
    return { binding: loader(root), path: loader.resolve(root) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new DeviceError(
      `no native binary of deep-rnn loads on ${process.platform}-${process.arch}: run \`npx deep-rnn build-native\`, ` +
        `which needs CMake >= 3.18 and a C++17 compiler (${reason})`,
      { cause },
    );
  }
}
