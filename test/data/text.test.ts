import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { preprocess, tokenize } from '../../src/data/text.js';
import { ArgumentError } from '../../src/errors.js';
import { timeMachinePath } from '../helpers/texts.js';

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');

describe('preprocess', () => {
  const text = "said Filby.\r\n'What reason?' said\n\n  the Time Traveller--\n";

  test('2019: stripped first, so punctuation at the ends of a line leaves spaces', () => {
    expect(preprocess(text, 'd2l-2019')).toEqual(['said filby ', ' what reason said', '', 'the time traveller ', '']);
  });

  test('modern: stripped last', () => {
    expect(preprocess(text, 'modern')).toEqual(['said filby', 'what reason said', '', 'the time traveller', '']);
  });

  test('lowercase and none keep the text and normalise its line ends', () => {
    expect(preprocess('A\r\nÉ.', 'lowercase')).toEqual(['a\né.']);
    expect(preprocess('A\rÉ.', 'none')).toEqual(['A\nÉ.']);
  });

  test('both orders hold the same letters in the same order', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (any) => {
        const letters = (kind: 'd2l-2019' | 'modern') => preprocess(any, kind).join('').replaceAll(' ', '');
        expect(letters('d2l-2019')).toBe(letters('modern'));
        expect(preprocess(any, 'd2l-2019').join('')).toMatch(/^[a-z ]*$/);
      }),
    );
  });

  test('rejects an unknown kind and a text that is none', () => {
    expect(() => preprocess('a', 'd2l' as never)).toThrow(ArgumentError);
    expect(() => preprocess(3 as never, 'none')).toThrow('Expected a string for text but received 3');
  });
});

describe('tokenize', () => {
  test('characters are code points, words lie between white space', () => {
    expect(tokenize('a😀b', 'char')).toEqual(['a', '😀', 'b']);
    expect(tokenize(' to  be\nor ', 'word')).toEqual(['to', 'be', 'or']);
    expect(tokenize('', 'word')).toEqual([]);
  });
});

describe.runIf(timeMachinePath)('The Time Machine', () => {
  const text = timeMachinePath ? readFileSync(timeMachinePath, 'utf8') : '';
  const old = preprocess(text, 'd2l-2019').join('');
  const modern = preprocess(text, 'modern').join('');

  test('lengths of both orders', () => {
    expect(sha1(text)).toBe('090b5e7e70c295757f55df93cb0a180b9691891a');
    expect(old.length).toBe(171_489);
    expect(modern.length).toBe(170_580);
  });

  test('the first 10,000 characters', () => {
    expect(sha1(old.slice(0, 10_000))).toBe('847e3b26d9772f08393fe09cbcccbf3bbfc2f4fc');
    expect(old.startsWith('the time machine by h g wells ithe time traveller for so')).toBe(true);
    expect(new Set(old.slice(0, 10_000)).size).toBe(27);
  });

  test('only the 2019 order leaves double spaces', () => {
    expect(old.slice(0, 10_000).match(/ {2}/g)).toHaveLength(48);
    expect(modern.slice(0, 10_000)).not.toContain('  ');
    expect(old.slice(7190, 7190 + 59)).toBe('traveller  it s against reason said filby  what reason said');
    expect(old.slice(7374, 7374 + 64)).toBe('time traveller but now you begin to seethe object of my investig');
  });

  test('32,775 words', () => {
    const words = preprocess(text, 'modern').flatMap((line) => tokenize(line, 'word'));
    expect(words).toHaveLength(32_775);
  });
});
