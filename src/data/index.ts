/** Data: vocabularies, corpora, and loaders that cut them into minibatches. */
export { Corpus, type CorpusOptions, loadCorpus, type TextSource } from './corpus.js';
export {
  ConsecutiveLoader,
  type LoaderOptions,
  RandomLoader,
  type SequenceBatch,
  type SequenceLoader,
} from './loaders.js';
export { type Preprocessing, preprocess, type TokenKind, tokenize } from './text.js';
export { type TimeMachine, type TimeMachineOptions, timeMachine } from './time-machine.js';
export type { TextDownload } from './time-machine-text.js';
export { Vocabulary, type VocabularyData, type VocabularyOptions } from './vocabulary.js';
