/** D2L's data set for language models, ready to train on: `load_data_time_machine`. */
import { checkChoice, checkOptions } from '../check.js';
import { type Corpus, loadCorpus } from './corpus.js';
import { ConsecutiveLoader, type LoaderOptions, RandomLoader, type SequenceLoader } from './loaders.js';
import type { Preprocessing, TokenKind } from './text.js';
import { type TextLocation, timeMachineText } from './time-machine-text.js';
import type { Vocabulary } from './vocabulary.js';

/** Options of {@link timeMachine}. */
export interface TimeMachineOptions extends Omit<LoaderOptions, 'randomOffset'>, TextLocation {
  /** Tokens of the corpus to train on; the vocabulary counts all of them. Default 10,000; `Infinity` for the whole book. */
  maxTokens?: number;
  /** Default `'consecutive'`. */
  partition?: 'consecutive' | 'random';
  /** Default `'char'`. */
  tokens?: TokenKind;
  /** Default `'d2l-2019'`, with which the chapter's printed continuations agree. */
  preprocessing?: Preprocessing;
}

/** What {@link timeMachine} returns. */
export interface TimeMachine {
  /** The minibatches to train on. */
  loader: SequenceLoader;
  /** Which token each id stands for. */
  vocabulary: Vocabulary;
  /** The text as ids. */
  corpus: Corpus;
}

/**
 * Loads The Time Machine as minibatches of B sequences of T tokens.
 *
 * The text is looked for at `path` (a file, or a folder with `timemachine.txt`) or, without one, in the folder that the
 * environment variable `DEEP_RNN_DATA` names, then in the user's cache; else it is downloaded, checked and cached. With the
 * default options an epoch is 8 minibatches [35,32] of 28 different tokens.
 *
 * Source: D2L, "Language Models and the Dataset", `load_data_time_machine`.
 *
 * @throws ArgumentError for a wrong option; DeepRnnError, naming the ways to supply it, when the text cannot be had.
 *
 * @example
 * const { loader, vocabulary, corpus } = await timeMachine({ batchSize: 32, steps: 35 });
 * console.log(vocabulary.size, corpus.text(0, 16)); // 28 'the time machine'
 */
export async function timeMachine(options: TimeMachineOptions = {}): Promise<TimeMachine> {
  checkOptions(options, 'options', [
    'batchSize',
    'steps',
    'seed',
    'path',
    'download',
    'maxTokens',
    'partition',
    'tokens',
    'preprocessing',
  ]);
  const { batchSize, steps, seed, path, download } = options;
  const { maxTokens = 10_000, partition = 'consecutive', tokens = 'char', preprocessing = 'd2l-2019' } = options;
  checkChoice(partition, 'partition', ['consecutive', 'random']);
  const text = await timeMachineText({ path, download });
  const corpus = await loadCorpus({ text }, { tokens, preprocessing, maxTokens });
  const Loader = partition === 'consecutive' ? ConsecutiveLoader : RandomLoader;
  return { loader: new Loader(corpus, { batchSize, steps, seed }), vocabulary: corpus.vocabulary, corpus };
}
