import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { preprocess, tokenize } from '../../src/data/text.js';
import { Vocabulary } from '../../src/data/vocabulary.js';
import { ArgumentError } from '../../src/errors.js';
import { timeMachinePath } from '../helpers/texts.js';

describe('Vocabulary', () => {
  test('orders by frequency, then by token', () => {
    expect(new Vocabulary('hello').tokens).toEqual(['<unk>', 'l', 'e', 'h', 'o']);
  });

  test('compares tokens by code point as Python does', () => {
    // U+FB01 sorts after the surrogates of U+1F600 by UTF-16 unit, but before U+1F600 by code point.
    expect(new Vocabulary('😀\ufb01').tokens).toEqual(['<unk>', '\ufb01', '😀']);
    expect(new Vocabulary(['ab', 'a', '😁', '😀']).tokens).toEqual(['<unk>', 'a', 'ab', '😀', '😁']);
  });

  test('minFrequency, reserved tokens and unknown ones', () => {
    const vocabulary = new Vocabulary(['a', 'a', 'b', '<pad>', '<unk>', '<unk>'], {
      kind: 'word',
      minFrequency: 2,
      reserved: ['<pad>', '<bos>'],
    });
    expect(vocabulary.tokens).toEqual(['<unk>', '<pad>', '<bos>', 'a']);
    expect([...vocabulary.encode('a b <bos>')]).toEqual([3, 0, 2]);
    expect([...vocabulary.encode(['a', 'b', '<unk>'])]).toEqual([3, 0, 0]);
    expect(vocabulary.decode([3, 0, 3])).toBe('a <unk> a');
    expect(vocabulary.id('constructor')).toBe(0);
  });

  test('decode inverts encode for known characters, JSON keeps everything', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        const vocabulary = new Vocabulary(text);
        expect(vocabulary.decode(vocabulary.encode(text))).toBe(text);
        expect(vocabulary.size).toBe(new Set(text).size + 1);
        const copy = Vocabulary.fromJSON(JSON.parse(JSON.stringify(vocabulary)));
        expect(copy.toJSON()).toEqual(vocabulary.toJSON());
        expect(copy.encode(text)).toEqual(vocabulary.encode(text));
      }),
    );
  });

  test('fromJSON refuses whatever is no vocabulary', () => {
    fc.assert(
      fc.property(fc.anything(), (data) => {
        expect(() => Vocabulary.fromJSON(data)).toThrow(ArgumentError);
      }),
    );
    expect(() => Vocabulary.fromJSON({ kind: 'char', tokens: ['a'] })).toThrow('begins with "<unk>"');
    expect(() => Vocabulary.fromJSON({ kind: 'char', tokens: ['<unk>', 'a', 'a'] })).toThrow('distinct tokens');
  });

  test('misuse is named', () => {
    expect(() => new Vocabulary('a', { minFreq: 1 } as never)).toThrow(ArgumentError);
    expect(() => new Vocabulary('a', { minFrequency: -1 })).toThrow(ArgumentError);
    expect(() => new Vocabulary('ab').decode([7])).toThrow('Expected an integer from 0 to 2 for id but received 7');
    expect(() => new Vocabulary('ab').decode([Number.NaN])).toThrow(ArgumentError);
  });
});

describe.runIf(timeMachinePath)('The Time Machine', () => {
  const text = timeMachinePath ? readFileSync(timeMachinePath, 'utf8') : '';

  test('28 characters in D2L order', () => {
    const corpus = preprocess(text, 'd2l-2019').join('');
    const vocabulary = new Vocabulary(corpus);
    expect(vocabulary.tokens).toEqual(['<unk>', ...' etainoshrdlmucfwgypbvkxzjq']);
    expect([...vocabulary.encode(corpus.slice(0, 20))]).toEqual([
      3, 9, 2, 1, 3, 5, 13, 2, 1, 13, 4, 15, 9, 5, 6, 2, 1, 21, 19, 1,
    ]);
  });

  test('the most frequent words', () => {
    const words = preprocess(text, 'modern').flatMap((line) => tokenize(line, 'word'));
    const vocabulary = new Vocabulary(words, { kind: 'word' });
    expect(vocabulary.tokens.slice(0, 10)).toEqual(['<unk>', 'the', 'i', 'and', 'of', 'a', 'to', 'was', 'in', 'that']);
    expect(vocabulary.size).toBe(4580);
  });
});
