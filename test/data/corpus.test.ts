import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { loadCorpus } from '../../src/data/corpus.js';
import { Vocabulary } from '../../src/data/vocabulary.js';
import { ArgumentError, DeepRnnError } from '../../src/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-corpus-'));
afterAll(() => rmSync(folder, { recursive: true }));
const one = join(folder, 'one.txt');
const two = join(folder, 'two.txt');
writeFileSync(one, 'Ab!\n');
writeFileSync(two, 'b c');

describe('loadCorpus', () => {
  test('text, a path, a URL and several of them', async () => {
    expect((await loadCorpus({ text: 'aab' })).text()).toBe('aab');
    expect((await loadCorpus(one)).text()).toBe('Ab!\n');
    expect((await loadCorpus(pathToFileURL(two))).text()).toBe('b c');
    expect((await loadCorpus([one, two, { text: '.' }])).text()).toBe('Ab!\nb c.');
  });

  test('preprocessing, words, maxTokens', async () => {
    const corpus = await loadCorpus([one, two], { preprocessing: 'modern', tokens: 'word', maxTokens: 2 });
    expect(corpus.vocabulary.tokens).toEqual(['<unk>', 'ab', 'b', 'c']);
    expect([...corpus.ids]).toEqual([1, 2]);
  });

  test('the vocabulary counts what maxTokens cuts off', async () => {
    const corpus = await loadCorpus({ text: 'abbb' }, { maxTokens: 1 });
    expect(corpus.vocabulary.tokens).toEqual(['<unk>', 'b', 'a']);
    expect([...corpus.ids]).toEqual([2]);
  });

  test('a vocabulary that exists already is used, with its kind of token', async () => {
    const vocabulary = new Vocabulary(['to', 'be'], { kind: 'word' });
    const corpus = await loadCorpus({ text: 'to be or' }, { vocabulary });
    expect(corpus.vocabulary).toBe(vocabulary);
    expect([...corpus.ids]).toEqual([2, 1, 0]);
  });

  test('split', async () => {
    const [training, validation] = (await loadCorpus({ text: 'abcdefghij' })).split(0.3);
    expect(training.text()).toBe('abcdefg');
    expect(validation.text()).toBe('hij');
    expect(validation.vocabulary).toBe(training.vocabulary);
    expect(() => training.split(1)).toThrow(ArgumentError);
    expect(() => training.split(Number.NaN)).toThrow(ArgumentError);
  });

  test('misuse is named', async () => {
    await expect(loadCorpus(join(folder, 'none.txt'))).rejects.toThrow(/none\.txt" could not be read.*time-machine/);
    await expect(loadCorpus({ text: '...' }, { preprocessing: 'modern' })).rejects.toThrow(DeepRnnError);
    await expect(loadCorpus([])).rejects.toThrow('holds no token');
    await expect(loadCorpus(7 as never)).rejects.toThrow('Expected a path, a URL, { text } or a known name for source');
    await expect(loadCorpus({ text: 'a' }, { maxTokens: 0 })).rejects.toThrow(
      'Expected a positive integer or Infinity',
    );
    await expect(loadCorpus({ text: 'a' }, { token: 'char' } as never)).rejects.toThrow(ArgumentError);
    await expect(loadCorpus({ text: 'a' }, { vocabulary: {} as never })).rejects.toThrow('Expected a Vocabulary');
  });
});
