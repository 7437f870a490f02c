/** The configuration of a language model as text, beside its weights in a safetensors file. */
import { Vocabulary } from '../data/vocabulary.js';
import type { Device } from '../device.js';
import { ArgumentError, expected } from '../errors.js';
import { DeepGRU } from '../nn/gru.js';
import { DeepLSTM } from '../nn/lstm.js';
import type { RecurrentStack } from '../nn/recurrent.js';
import { DeepRNN } from '../nn/rnn.js';

/** Keys of the file's metadata. */
const MODEL = 'deep_rnn.language_model';
const VOCABULARY = 'deep_rnn.vocabulary';
const VERSION = 1;

/** The options of a stack, with the name of its cell. */
export type StackOptions = ReturnType<typeof stackOptions>;

export interface LanguageModelConfig {
  stack: StackOptions;
  embedding?: number;
  tied: boolean;
  dropout: number;
}

/** All that it takes to build an equal stack, but the weights. */
export function stackOptions(stack: RecurrentStack) {
  const { cell, layers, hiddenSize, bias, dropout, inputMode, projSize, cellClip, dtype, precision } = stack;
  return { cell, layers, hiddenSize, bias, dropout, inputMode, projSize, cellClip, dtype, precision };
}

/** @throws ArgumentError when an option is wrong. */
export function stackFrom(options: StackOptions, device?: Device): RecurrentStack {
  const { cell, projSize, cellClip, ...common } = { ...options, device };
  switch (cell) {
    case 'lstm':
      return new DeepLSTM({ ...common, projSize, cellClip });
    case 'gru':
      return new DeepGRU(common);
    case 'rnnTanh':
      return new DeepRNN({ ...common, nonlinearity: 'tanh' });
    case 'rnnRelu':
      return new DeepRNN({ ...common, nonlinearity: 'relu' });
    default:
      throw expected("'lstm', 'gru', 'rnnTanh' or 'rnnRelu'", 'cell', cell);
  }
}

/** The metadata to store; `format` is what readers of PyTorch files look for. */
export function writeConfig(config: LanguageModelConfig, vocabulary: Vocabulary): Record<string, string> {
  return {
    format: 'pt',
    [MODEL]: JSON.stringify({ version: VERSION, ...config }),
    [VOCABULARY]: JSON.stringify(vocabulary),
  };
}

/** @throws ArgumentError when the metadata is not what {@link writeConfig} writes. */
export function readConfig(metadata: Record<string, string>): { config: LanguageModelConfig; vocabulary: Vocabulary } {
  const { version, ...config } = parse(metadata, MODEL);
  if (version !== VERSION) throw expected(`${VERSION}`, `the version of ${MODEL}`, version);
  if (typeof config.stack !== 'object' || config.stack === null) {
    throw expected('an object', `stack of ${MODEL}`, config.stack);
  }
  return {
    config: config as unknown as LanguageModelConfig,
    vocabulary: Vocabulary.fromJSON(parse(metadata, VOCABULARY)),
  };
}

function parse(metadata: Record<string, string>, key: string): Record<string, unknown> {
  if (!Object.hasOwn(metadata, key)) {
    throw new ArgumentError(`Expected a language model saved by deep-rnn but the file lacks its metadata ${key}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(metadata[key]);
  } catch {
    throw expected('JSON', key, metadata[key]);
  }
  if (typeof value !== 'object' || value === null) throw expected('an object', key, value);
  return value as Record<string, unknown>;
}
