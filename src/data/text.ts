/** From raw text to tokens: D2L's preprocessing in both of its orders, and the two kinds of token. */
import { checkChoice, checkString } from '../check.js';

/** How raw text is cleaned; see {@link preprocess}. */
export type Preprocessing = 'd2l-2019' | 'modern' | 'lowercase' | 'none';
export const PREPROCESSING: readonly Preprocessing[] = ['d2l-2019', 'modern', 'lowercase', 'none'];

/** What one token is. */
export type TokenKind = 'char' | 'word';
export const TOKEN_KINDS: readonly TokenKind[] = ['char', 'word'];

const LINE_END = /\r\n|\r|\n/;
const NOT_LETTERS = /[^a-z]+/g;

/**
 * Cleans a text; the corpus is the returned pieces one after another with nothing between them.
 *
 * - `'d2l-2019'`: per line strip, lower-case, then each run of other characters than a-z becomes one space. Punctuation at
 *   the end of a line leaves a space behind, so `"what?"` before `reason` gives `what reason`, and lines otherwise run
 *   together (`shone andtwinkled`). This is the order of the chapter's first edition.
 * - `'modern'`: the same, but stripped last, so no line begins or ends with a space.
 * - `'lowercase'`: the whole text in lower case, line ends as `\n`.
 * - `'none'`: the whole text, line ends as `\n`.
 *
 * Source: D2L, "Text Preprocessing", `read_time_machine`.
 *
 * @example
 * preprocess('Hello, World!', 'd2l-2019'); // ['hello world ']
 */
export function preprocess(text: string, preprocessing: Preprocessing): string[] {
  checkString(text, 'text');
  checkChoice(preprocessing, 'preprocessing', PREPROCESSING);
  const lines = text.split(LINE_END);
  switch (preprocessing) {
    case 'd2l-2019':
      return lines.map((line) => line.trim().toLowerCase().replace(NOT_LETTERS, ' '));
    case 'modern':
      return lines.map((line) => line.toLowerCase().replace(NOT_LETTERS, ' ').trim());
    case 'lowercase':
      return [lines.join('\n').toLowerCase()];
    case 'none':
      return [lines.join('\n')];
  }
}

/**
 * Splits a piece of text into tokens: Unicode characters, or words between white space.
 *
 * @example
 * tokenize('to be', 'word'); // ['to', 'be']
 */
export function tokenize(text: string, tokens: TokenKind): string[] {
  checkString(text, 'text');
  checkChoice(tokens, 'tokens', TOKEN_KINDS);
  return tokens === 'char' ? Array.from(text) : text.split(/\s+/).filter((word) => word !== '');
}

/** The inverse of {@link tokenize} up to white space between words. */
export function joinTokens(tokens: readonly string[], kind: TokenKind): string {
  return tokens.join(kind === 'char' ? '' : ' ');
}
