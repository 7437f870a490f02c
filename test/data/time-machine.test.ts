import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cacheFolder, writeAtomically } from '../../src/data/cache.js';
import { loadCorpus } from '../../src/data/corpus.js';
import { timeMachine } from '../../src/data/time-machine.js';
import { cutGutenberg } from '../../src/data/time-machine-text.js';
import { DeepRnnError } from '../../src/errors.js';
import { timeMachinePath } from '../helpers/texts.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-rnn-text-'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  vi.stubEnv('DEEP_RNN_DATA', '');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const original = timeMachinePath ? readFileSync(timeMachinePath, 'utf8') : '';
const gutenberg = (text: string) =>
  [
    "Project Gutenberg's The Time Machine, by H. G. (Herbert George) Wells",
    'Character set encoding: ASCII',
    '*** START OF THIS PROJECT GUTENBERG EBOOK THE TIME MACHINE ***',
    '\n\n',
    text,
    '\n\n',
    "End of Project Gutenberg's The Time Machine, by H. G. (Herbert George) Wells",
    '*** END OF THIS PROJECT GUTENBERG EBOOK THE TIME MACHINE ***',
    '***** This file should be named 35.txt or 35.zip *****',
  ]
    .join('\n')
    .replaceAll('\n', '\r\n');

/** A server whose every address answers with the given text, or fails. */
function server(answer: (address: string) => string | Error) {
  const asked: string[] = [];
  const fetch = async (address: string) => {
    asked.push(address);
    const text = answer(address);
    if (text instanceof Error) throw text;
    return new Response(text);
  };
  return { asked, fetch };
}

describe('finding the text', () => {
  test('an error names the three ways when it cannot be had', async () => {
    const { asked, fetch } = server(() => new TypeError('fetch failed', { cause: new Error('no such host') }));
    const failure = timeMachine({ download: { fetch } });
    await expect(failure).rejects.toThrow(DeepRnnError);
    await expect(failure).rejects.toThrow(/d2l-data.*no such host.*gutenberg.*\{ path \}.*DEEP_RNN_DATA.*cache as/);
    expect(asked[0]).toBe('http://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt');
    expect(asked).toContain('https://www.gutenberg.org/ebooks/35.txt.utf-8');
    await expect(timeMachine({ download: false })).rejects.toThrow('downloading is switched off');
  });

  test('another text is refused wherever it comes from', async () => {
    const other = join(folder, 'timemachine.txt');
    writeFileSync(other, 'Call me Ishmael.');
    await expect(timeMachine({ path: other })).rejects.toThrow("is not D2L's text of The Time Machine");
    await expect(timeMachine({ path: folder })).rejects.toThrow("is not D2L's text");
    vi.stubEnv('DEEP_RNN_DATA', folder);
    await expect(timeMachine()).rejects.toThrow("is not D2L's text");
    vi.stubEnv('DEEP_RNN_DATA', '');
    const { fetch } = server(() => gutenberg('Call me Ishmael.'));
    await expect(timeMachine({ download: { fetch } })).rejects.toThrow('another edition of the text');
    expect(() => readdirSync(join(folder, 'cache'))).toThrow('ENOENT');
  });

  test('a path that is not there is an error, not a download', async () => {
    const { asked, fetch } = server(() => original);
    const path = join(folder, 'nowhere.txt');
    await expect(timeMachine({ path, download: { fetch } })).rejects.toThrow(`there is no ${path}`);
    expect(asked).toEqual([]);
  });

  test('a silent server is given up after the timeout, an aborted download at once', async () => {
    const silent = (_: string, { signal }: { signal: AbortSignal }) =>
      new Promise<Response>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    await expect(timeMachine({ download: { fetch: silent, timeout: 5 } })).rejects.toThrow(/timeout.*three ways/);
    const controller = new AbortController();
    const waiting = timeMachine({ download: { fetch: silent, signal: controller.signal } });
    setTimeout(() => controller.abort(new Error('changed my mind')), 5);
    await expect(waiting).rejects.toThrow('changed my mind');
  });

  test('HTTP errors are reported', async () => {
    const fetch = async () => new Response('gone', { status: 404 });
    await expect(timeMachine({ download: { fetch } })).rejects.toThrow('HTTP status 404');
  });

  test('misuse is named', async () => {
    await expect(timeMachine({ numSteps: 3 } as never)).rejects.toThrow('numSteps');
    await expect(timeMachine({ partition: 'sequential' as never })).rejects.toThrow('partition');
    await expect(timeMachine({ download: { retry: 1 } as never })).rejects.toThrow('retry');
  });
});

describe('cache', () => {
  test('folder by platform', () => {
    const at = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform) => cacheFolder(env, platform, '/users/ada');
    expect(at({}, 'linux')).toBe(join('/users/ada', '.cache', 'deep-rnn'));
    expect(at({ XDG_CACHE_HOME: '/c' }, 'linux')).toBe(join('/c', 'deep-rnn'));
    expect(at({}, 'darwin')).toBe(join('/users/ada', 'Library', 'Caches', 'deep-rnn'));
    expect(at({ LOCALAPPDATA: 'C:/local' }, 'win32')).toBe(join('C:/local', 'deep-rnn'));
  });

  test('a file is written whole, and nothing stays behind when it cannot be', async () => {
    const target = join(folder, 'deep', 'er', 'file.txt');
    await writeAtomically(target, 'whole');
    expect(readFileSync(target, 'utf8')).toBe('whole');
    mkdirSync(join(folder, 'taken', 'inside'), { recursive: true });
    await expect(writeAtomically(join(folder, 'taken'), 'x')).rejects.toThrow();
    expect(readdirSync(folder).sort()).toEqual(['deep', 'taken']);
  });
});

test('cutGutenberg leaves the book', () => {
  expect(cutGutenberg(gutenberg('I\n\nThe end\nof man.'))).toBe('I\n\nThe end\nof man.\n');
  expect(
    cutGutenberg('*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\na\r\n*** END OF THE PROJECT GUTENBERG EBOOK X ***'),
  ).toBe('a\n');
  expect(cutGutenberg('  plain\r\ntext')).toBe('plain\ntext\n');
});

describe.runIf(timeMachinePath)('with the text', () => {
  test('path, folder, DEEP_RNN_DATA and cache', async () => {
    copyFileSync(timeMachinePath!, join(folder, 'timemachine.txt'));
    expect((await timeMachine({ path: timeMachinePath, download: false })).corpus.length).toBe(10_000);
    expect((await timeMachine({ path: folder, download: false })).corpus.length).toBe(10_000);
    vi.stubEnv('DEEP_RNN_DATA', folder);
    expect((await timeMachine({ download: false })).corpus.length).toBe(10_000);
    expect((await loadCorpus('time-machine', { download: false })).length).toBe(171_489);
    vi.stubEnv('DEEP_RNN_DATA', join(folder, 'elsewhere'));
    await expect(timeMachine({ download: false })).rejects.toThrow('could not be had');
    mkdirSync(join(folder, 'cache', 'deep-rnn'), { recursive: true });
    copyFileSync(timeMachinePath!, join(folder, 'cache', 'deep-rnn', 'timemachine.txt'));
    expect((await timeMachine({ download: false })).corpus.length).toBe(10_000);
  });

  test('downloads once, cutting what Gutenberg adds, and mends a broken cache', async () => {
    const { asked, fetch } = server((address) =>
      address.includes('d2l-data') ? new Error('down') : gutenberg(original),
    );
    const { corpus } = await timeMachine({ download: { fetch } });
    expect(corpus.text(0, 16)).toBe('the time machine');
    expect(asked).toHaveLength(2);
    const cached = join(folder, 'cache', 'deep-rnn', 'timemachine.txt');
    expect(readFileSync(cached, 'utf8')).toBe(original);
    await timeMachine({ download: { fetch } });
    expect(asked).toHaveLength(2);
    writeFileSync(cached, original.slice(0, 1000));
    await timeMachine({ download: { fetch } });
    expect(asked).toHaveLength(4);
    expect(readdirSync(join(folder, 'cache', 'deep-rnn'))).toEqual(['timemachine.txt']);
  });

  test('an edition with other bytes but the same words is taken', async () => {
    const { fetch } = server(() => original.replaceAll("'", '"').replaceAll('--', ' - '));
    expect((await timeMachine({ download: { fetch } })).corpus.text(0, 16)).toBe('the time machine');
  });

  test("D2L's defaults", async () => {
    const { loader, vocabulary, corpus } = await timeMachine({ path: timeMachinePath, seed: 1 });
    expect(vocabulary.size).toBe(28);
    expect(corpus.length).toBe(10_000);
    expect(loader.consecutive).toBe(true);
    const batches = [...loader];
    expect(batches).toHaveLength(8);
    expect(batches.reduce((tokens, { x }) => tokens + x.length, 0)).toBe(8960);
    expect([...batches[0].y.subarray(0, 32 * 34)]).toEqual([...batches[0].x.subarray(32)]);
  });

  test('entropies of the first 10,000 characters', async () => {
    const { corpus } = await timeMachine({ path: timeMachinePath });
    const perplexity = (counts: Map<number, number>, total: number) => {
      let entropy = 0;
      for (const count of counts.values()) entropy -= (count / total) * Math.log(count / total);
      return Math.exp(entropy);
    };
    const unigrams = new Map<number, number>();
    const bigrams = new Map<number, number>();
    const firsts = new Map<number, number>();
    corpus.ids.forEach((id, index) => {
      unigrams.set(id, (unigrams.get(id) ?? 0) + 1);
      if (index === 0) return;
      const before = corpus.ids[index - 1];
      firsts.set(before, (firsts.get(before) ?? 0) + 1);
      bigrams.set(before * 28 + id, (bigrams.get(before * 28 + id) ?? 0) + 1);
    });
    expect(perplexity(unigrams, 10_000)).toBeCloseTo(17.18, 2);
    expect(perplexity(bigrams, 9999) / perplexity(firsts, 9999)).toBeCloseTo(9.78, 2);
  });

  test('random partitioning, the modern order and words', async () => {
    const random = await timeMachine({ path: timeMachinePath, partition: 'random', seed: 1 });
    expect(random.loader.consecutive).toBe(false);
    expect([...random.loader]).toHaveLength(8);
    const path = timeMachinePath;
    const words = await timeMachine({
      path,
      tokens: 'word',
      preprocessing: 'modern',
      maxTokens: Number.POSITIVE_INFINITY,
    });
    expect(words.corpus.length).toBe(32_775);
    expect(words.corpus.text(0, 4)).toBe('the time machine by');
  });
});
