/** Finds the text of The Time Machine: on disk, in the user's cache, or by downloading it, always checked. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkNumber, checkOptions } from '../check.js';
import { DeepRnnError } from '../errors.js';
import { cacheFolder, writeAtomically } from './cache.js';
import { preprocess } from './text.js';

const FILE = 'timemachine.txt';
/** SHA-1 of D2L's file: 178,979 bytes. */
const FILE_SHA1 = '090b5e7e70c295757f55df93cb0a180b9691891a';
/** SHA-1 of its 171,489 characters after `'d2l-2019'` preprocessing. */
const PREPROCESSED_SHA1 = 'b108ae167028ffc212604311d95bd6bdee991558';

/**
 * D2L's own file; then Project Gutenberg's ebook 35, first in the edition of 2011 that D2L's file was cut from, which
 * GITenberg archives. Gutenberg itself serves a later, revised edition, which passes the check only if its words are the same.
 */
const ADDRESSES = [
  `http://d2l-data.s3-accelerate.amazonaws.com/${FILE}`,
  'https://raw.githubusercontent.com/GITenberg/The-Time-Machine_35/master/35.txt',
  'https://www.gutenberg.org/ebooks/35.txt.utf-8',
  'https://www.gutenberg.org/cache/epub/35/pg35.txt',
];

/** How the text is fetched when it is on no disk. */
export interface TextDownload {
  /** Milliseconds for each address. Default 30,000. */
  timeout?: number;
  /** Ends the attempt. */
  signal?: AbortSignal;
  /** Used in place of the global `fetch`. */
  fetch?: (address: string, init: { signal: AbortSignal }) => Promise<Response>;
}

export interface TextLocation {
  /** The file, or a folder that holds `timemachine.txt`. */
  path?: string;
  /** How it may be downloaded; `false` forbids it. */
  download?: TextDownload | false;
}

async function sha1(data: string): Promise<string> {
  // Takes long to load, and only whoever reads this text needs it.
  const { createHash } = await import('node:crypto');
  return createHash('sha1').update(data, 'utf8').digest('hex');
}

/** Whether a text is D2L's, byte for byte or in all that its preprocessing keeps. */
async function isTimeMachine(text: string): Promise<boolean> {
  return (await sha1(text)) === FILE_SHA1 || (await sha1(preprocess(text, 'd2l-2019').join(''))) === PREPROCESSED_SHA1;
}

/**
 * The book inside a Project Gutenberg file: header and footer cut, line ends as `\n`, stripped, and one newline at the end.
 * A text without Gutenberg's marks is only normalised.
 */
export function cutGutenberg(text: string): string {
  const lines = text.split(/\r\n|\r|\n/);
  const start = lines.findIndex((line) => /^\*\*\* ?START OF TH(E|IS) PROJECT GUTENBERG/i.test(line));
  const end = lines.findIndex(
    (line, index) => index > start && /^(\*\*\* ?END OF TH(E|IS)|End of (the )?)\s*Project Gutenberg/i.test(line),
  );
  return `${lines
    .slice(start + 1, end < 0 ? lines.length : end)
    .join('\n')
    .trim()}\n`;
}

async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new DeepRnnError(`${path} could not be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The text at `path` when there is one; an error when it is another text. */
async function readChecked(path: string): Promise<string | null> {
  const text = await readIfPresent(path);
  if (text === null || (await isTimeMachine(text))) return text;
  throw new DeepRnnError(
    `${path} is not D2L's text of The Time Machine: its sha1 is ${await sha1(text)}, not ${FILE_SHA1}, and its words differ.` +
      ' Use loadCorpus for other texts',
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function downloadText(cached: string, options: TextDownload): Promise<string> {
  checkOptions(options, 'download', ['timeout', 'signal', 'fetch']);
  const { timeout = 30_000, signal, fetch = globalThis.fetch } = options;
  checkNumber(timeout, 'download.timeout', { min: 0 });
  const failures: string[] = [];
  for (const address of ADDRESSES) {
    signal?.throwIfAborted();
    const deadline = AbortSignal.timeout(timeout);
    try {
      const response = await fetch(address, { signal: signal ? AbortSignal.any([signal, deadline]) : deadline });
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      const text = cutGutenberg(await response.text());
      if (!(await isTimeMachine(text))) throw new Error(`another edition of the text (sha1 ${await sha1(text)})`);
      // Without a writable cache the text is as good; it is only downloaded again next time.
      await writeAtomically(cached, text).catch(() => undefined);
      return text;
    } catch (error) {
      signal?.throwIfAborted();
      const { message, cause } = error as Error;
      failures.push(`${address}: ${cause instanceof Error ? `${message} (${cause.message})` : message}`);
    }
  }
  throw new DeepRnnError(failures.join('; '));
}

/**
 * The text of The Time Machine as D2L uses it, from the first of: `path`, the folder named by the environment variable
 * `DEEP_RNN_DATA`, the user's cache, a download (which fills the cache).
 *
 * @throws DeepRnnError naming the three ways to supply the text when it cannot be had, and when a file is another text;
 *   the signal's reason when the download is aborted.
 */
export async function timeMachineText({ path, download = {} }: TextLocation = {}): Promise<string> {
  if (path !== undefined) {
    const file = (await isFolder(path)) ? join(path, FILE) : path;
    const text = await readChecked(file);
    if (text === null) throw new DeepRnnError(`The Time Machine is not at the given path: there is no ${file}`);
    return text;
  }
  const folder = process.env.DEEP_RNN_DATA;
  const supplied = folder ? await readChecked(join(folder, FILE)) : null;
  if (supplied !== null) return supplied;

  const cached = join(cacheFolder(), FILE);
  const text = await readIfPresent(cached);
  if (text !== null && (await isTimeMachine(text))) return text;

  let reason = 'downloading is switched off';
  if (download !== false) {
    try {
      return await downloadText(cached, download);
    } catch (error) {
      if (!(error instanceof DeepRnnError)) throw error;
      reason = error.message;
    }
  }
  throw new DeepRnnError(
    `The Time Machine could not be had: ${reason}. Supply ${FILE} (178,979 bytes, sha1 ${FILE_SHA1}) in one of three ways:` +
      ` pass its path as { path }; set DEEP_RNN_DATA to the folder that holds it; or put it into the cache as ${cached}`,
  );
}
