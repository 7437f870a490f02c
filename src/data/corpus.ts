/** A corpus: the token ids of a text and the vocabulary that explains them. */
import { readFile } from 'node:fs/promises';
import { checkChoice, checkNumber, checkOptions } from '../check.js';
import { DeepRnnError, expected } from '../errors.js';
import { PREPROCESSING, type Preprocessing, preprocess, TOKEN_KINDS, type TokenKind, tokenize } from './text.js';
import { type TextDownload, timeMachineText } from './time-machine-text.js';
import { Vocabulary } from './vocabulary.js';

/** Where text comes from: the path of a file, a URL of one, the text itself, or the name of a known text. */
export type TextSource =
  | string
  | URL
  | {
      /** The text itself. */
      text: string;
    };

export interface CorpusOptions {
  /** What one token is. Default `'char'`. */
  tokens?: TokenKind;
  /** How the text is cleaned. Default `'none'`, for `'time-machine'` `'d2l-2019'`. */
  preprocessing?: Preprocessing;
  /** Keep only so many tokens from the start; the vocabulary still counts all of them. Default `Infinity`. */
  maxTokens?: number;
  /** As in {@link Vocabulary}. Default 0. */
  minFrequency?: number;
  /** As in {@link Vocabulary}. Default none. */
  reserved?: readonly string[];
  /** Use this vocabulary, such as that of a trained model, in place of a new one. */
  vocabulary?: Vocabulary;
  /** How a known text may be downloaded; `false` forbids it. */
  download?: TextDownload | false;
}

/**
 * Token ids in the order of the text, with their vocabulary.
 *
 * @example
 * const corpus = await loadCorpus({ text: 'it was the best of times' });
 * const [training, validation] = corpus.split(0.25);
 */
export class Corpus {
  constructor(
    /** One id a token. */
    readonly ids: Int32Array,
    /** Which token each id stands for. */
    readonly vocabulary: Vocabulary,
  ) {}

  /** How many tokens there are. */
  get length(): number {
    return this.ids.length;
  }

  /** The text of the tokens from `start` to before `end`. */
  text(start = 0, end = this.length): string {
    return this.vocabulary.decode(this.ids.subarray(start, end));
  }

  /**
   * Cuts the last `fraction` of the tokens off: `[the first part, the last part]`, both over the same vocabulary.
   *
   * @throws ArgumentError unless 0 < fraction < 1.
   */
  split(fraction: number): [Corpus, Corpus] {
    checkNumber(fraction, 'fraction', { above: 0, below: 1 });
    const cut = this.length - Math.round(this.length * fraction);
    return [
      new Corpus(this.ids.subarray(0, cut), this.vocabulary),
      new Corpus(this.ids.subarray(cut), this.vocabulary),
    ];
  }
}

const KNOWN_TEXTS = ['time-machine'];

/**
 * Reads text, cleans it, splits it into tokens and numbers them.
 *
 * @param source A path, a URL of a file, `{ text }`, the known name `'time-machine'` (a file of that name is
 *   `'./time-machine'`), or several of these, taken one after another.
 * @throws ArgumentError for a wrong option; DeepRnnError when a source cannot be read or holds no token.
 *
 * @example
 * const corpus = await loadCorpus(['emma.txt', 'persuasion.txt'], { tokens: 'word', preprocessing: 'modern' });
 */
export async function loadCorpus(
  source: TextSource | readonly TextSource[],
  options: CorpusOptions = {},
): Promise<Corpus> {
  checkOptions(options, 'options', [
    'tokens',
    'preprocessing',
    'maxTokens',
    'minFrequency',
    'reserved',
    'vocabulary',
    'download',
  ]);
  const sources = Array.isArray(source) ? (source as readonly TextSource[]) : [source as TextSource];
  const known = sources.length > 0 && sources.every((one) => KNOWN_TEXTS.includes(one as string));
  const { tokens = options.vocabulary?.kind ?? 'char', preprocessing = known ? 'd2l-2019' : 'none' } = options;
  const { maxTokens = Number.POSITIVE_INFINITY } = options;
  checkChoice(tokens, 'tokens', TOKEN_KINDS);
  checkChoice(preprocessing, 'preprocessing', PREPROCESSING);
  if (maxTokens !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(maxTokens) && maxTokens > 0)) {
    throw expected('a positive integer or Infinity', 'maxTokens', maxTokens);
  }
  if (options.vocabulary !== undefined && !(options.vocabulary instanceof Vocabulary)) {
    throw expected('a Vocabulary', 'vocabulary', options.vocabulary);
  }

  const all: string[] = [];
  for (const one of sources) {
    const text = await readText(one, options.download);
    for (const piece of preprocess(text, preprocessing)) for (const token of tokenize(piece, tokens)) all.push(token);
  }
  if (all.length === 0) throw new DeepRnnError('The corpus holds no token: every source is empty after preprocessing');
  const { minFrequency, reserved } = options;
  const vocabulary = options.vocabulary ?? new Vocabulary(all, { kind: tokens, minFrequency, reserved });
  return new Corpus(vocabulary.encode(all.slice(0, maxTokens)), vocabulary);
}

async function readText(source: TextSource, download?: TextDownload | false): Promise<string> {
  if (source === 'time-machine') return timeMachineText({ download });
  if (typeof source === 'string' || source instanceof URL) {
    try {
      return await readFile(source, 'utf8');
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new DeepRnnError(
        `The text ${JSON.stringify(String(source))} could not be read: ${reason}. Known names: ${KNOWN_TEXTS.join(', ')}; give text itself as { text }`,
        { cause },
      );
    }
  }
  if (typeof source?.text === 'string') return source.text;
  throw expected('a path, a URL, { text } or a known name', 'source', source);
}
