/** The mapping between tokens and the integers a model works with. */
import { checkChoice, checkInteger, checkOptions } from '../check.js';
import { expected } from '../errors.js';
import { joinTokens, TOKEN_KINDS, type TokenKind, tokenize } from './text.js';

export const UNKNOWN = '<unk>';

/** Options of {@link Vocabulary}. */
export interface VocabularyOptions {
  /** What one token is, used by `encode` on strings and by `decode`. Default `'char'`. */
  kind?: TokenKind;
  /** Rarer tokens are left out and become `<unk>`. Default 0. */
  minFrequency?: number;
  /** Tokens that get the ids 1, 2, ... whether or not they occur. */
  reserved?: readonly string[];
}

/** A vocabulary as plain data, as `JSON.stringify` writes it. */
export interface VocabularyData {
  /** Whether a token is a character or a word. */
  kind: TokenKind;
  /** All tokens in the order of their ids. */
  tokens: string[];
}

/** Order of Python's strings: by code point, where JavaScript's `<` goes by UTF-16 unit. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; ++i) {
    if (a.charCodeAt(i) !== b.charCodeAt(i)) {
      // Step back when the difference lies in the second half of a surrogate pair.
      const start = i > 0 && (a.charCodeAt(i - 1) & 0xfc00) === 0xd800 ? i - 1 : i;
      return (a.codePointAt(start) as number) - (b.codePointAt(start) as number);
    }
  }
  return a.length - b.length;
}

/**
 * Tokens and their ids: `<unk>` is 0, then the reserved tokens, then the others from the most to the least frequent, equally
 * frequent ones in the order of their code points.
 *
 * Source: D2L, "Text Preprocessing", class `Vocab`.
 *
 * @example
 * const vocabulary = new Vocabulary('hello');
 * vocabulary.tokens; // ['<unk>', 'l', 'e', 'h', 'o']
 * vocabulary.encode('hex'); // Int32Array [3, 2, 0]
 */
export class Vocabulary {
  /** Whether a token is a character or a word. */
  readonly kind: TokenKind;
  /** The token of each id. */
  readonly tokens: readonly string[];
  private readonly ids: ReadonlyMap<string, number>;

  /**
   * @param tokens The tokens of a corpus, repeated as often as they occur (a string: its characters or words).
   * @throws ArgumentError when an option has the wrong type or value.
   */
  constructor(tokens: string | Iterable<string>, options: VocabularyOptions = {}) {
    checkOptions(options, 'options', ['kind', 'minFrequency', 'reserved']);
    const { kind = 'char', minFrequency = 0, reserved = [] } = options;
    checkChoice(kind, 'kind', TOKEN_KINDS);
    checkInteger(minFrequency, 'minFrequency', { min: 0 });
    const counts = new Map<string, number>();
    for (const token of typeof tokens === 'string' ? tokenize(tokens, kind) : tokens) {
      counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    const found = [...counts]
      .filter(([, count]) => count >= minFrequency)
      .sort(([a, countA], [b, countB]) => countB - countA || compareCodePoints(a, b))
      .map(([token]) => token);
    this.kind = kind;
    this.tokens = [...new Set([UNKNOWN, ...reserved, ...found])];
    this.ids = new Map(this.tokens.map((token, id) => [token, id]));
  }

  /** V: how many ids there are, `<unk>` included. */
  get size(): number {
    return this.tokens.length;
  }

  /** The id of a token; 0 when it is unknown. */
  id(token: string): number {
    return this.ids.get(token) ?? 0;
  }

  /**
   * The ids of a text (split as `kind` says) or of a list of tokens; unknown ones become 0.
   *
   * @example
   * new Vocabulary('aab').encode('abc'); // Int32Array [1, 2, 0]
   */
  encode(tokens: string | readonly string[]): Int32Array {
    return Int32Array.from(typeof tokens === 'string' ? tokenize(tokens, this.kind) : tokens, (token) =>
      this.id(token),
    );
  }

  /**
   * The text that the ids stand for: characters joined directly, words by a space.
   *
   * @throws ArgumentError for an id outside 0..size-1.
   */
  decode(ids: Iterable<number>): string {
    const tokens = Array.from(ids, (id) => {
      const token = this.tokens[id];
      if (token === undefined) throw expected(`an integer from 0 to ${this.size - 1}`, 'id', id);
      return token;
    });
    return joinTokens(tokens, this.kind);
  }

  /** The vocabulary as plain data, for JSON.stringify; {@link Vocabulary.fromJSON} reads it. */
  toJSON(): VocabularyData {
    return { kind: this.kind, tokens: [...this.tokens] };
  }

  /**
   * The vocabulary that {@link Vocabulary.toJSON} described.
   *
   * @throws ArgumentError when the data is none.
   */
  static fromJSON(data: unknown): Vocabulary {
    const { kind, tokens } = (data ?? {}) as Partial<VocabularyData>;
    checkChoice(kind, 'vocabulary.kind', TOKEN_KINDS);
    if (!Array.isArray(tokens) || tokens[0] !== UNKNOWN || !tokens.every((token) => typeof token === 'string')) {
      throw expected(`an array of strings that begins with "${UNKNOWN}"`, 'vocabulary.tokens', tokens);
    }
    if (new Set(tokens).size !== tokens.length) throw expected('distinct tokens', 'vocabulary.tokens', tokens);
    return new Vocabulary([], { kind, reserved: tokens.slice(1) });
  }
}
