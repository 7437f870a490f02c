/** The user's cache folder for downloaded data, and writing files to it so that no reader ever sees half of one. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Where downloaded data is kept: `$XDG_CACHE_HOME/deep-rnn`, else `~/.cache/deep-rnn` (Linux), `~/Library/Caches/deep-rnn`
 * (macOS) or `%LOCALAPPDATA%\deep-rnn` (Windows).
 */
export function cacheFolder(env = process.env, platform = process.platform, home = homedir()): string {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'deep-rnn');
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'deep-rnn');
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'deep-rnn');
  return join(home, '.cache', 'deep-rnn');
}

/** Writes a file whole or not at all, making its folder when needed. */
export async function writeAtomically(path: string, data: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${Date.now()}.part`;
  try {
    await writeFile(temporary, data);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
