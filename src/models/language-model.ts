/** Models that are ready to train. This file: the recurrent language model, and how it is stored. */
import { checkBoolean, checkInteger, checkNumber, checkOptions, checkString } from '../check.js';
import { joinTokens, tokenize } from '../data/text.js';
import { Vocabulary } from '../data/vocabulary.js';
import type { Device } from '../device.js';
import { ArgumentError, DeepRnnError, expected } from '../errors.js';
import { readSafetensors, writeSafetensors } from '../io/safetensors.js';
import { Dropout } from '../nn/dropout.js';
import { Embedding } from '../nn/embedding.js';
import { Linear } from '../nn/linear.js';
import { Module } from '../nn/module.js';
import { RecurrentStack } from '../nn/recurrent.js';
import type { RecurrentState } from '../nn/state.js';
import type { RnnPrecision } from '../ops/rnn.js';
import type { Tensor } from '../tensor.js';
import { type LanguageModelConfig, readConfig, stackFrom, stackOptions, writeConfig } from './config.js';
import { checkGenerationOptions, type GenerationOptions, generateTokens } from './generation.js';

/** What {@link LanguageModel.forward} returns. */
export interface LanguageModelOutput {
  /** A logit for each token that may come next, [T,B,V]. */
  logits: Tensor;
  /** The state after the last step. */
  state: RecurrentState;
}

/** Options of {@link LanguageModel}. */
export interface LanguageModelOptions {
  /** What goes in and comes out. */
  vocabulary: Vocabulary;
  /** Size of a learned embedding of the input, E; without it tokens go in as one-hot. */
  embedding?: number;
  /** Uses the embedding as the output's weights too; E must be the stack's output size. Default false. */
  tied?: boolean;
  /** Probability of zeroing what goes from the embedding into the stack and from the stack to the output. Default 0. */
  dropout?: number;
}

/**
 * Foresees the next token: (embedding,) recurrent stack, and a linear layer to one logit for each token of the vocabulary.
 *
 * Sources: D2L, "Concise Implementation of Recurrent Neural Networks", `RNNModel`; tied weights: Press and Wolf,
 * arXiv:1608.05859.
 *
 * @example
 * const { vocabulary } = await timeMachine();
 * const model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 256 }), { vocabulary });
 * console.log(await model.generate('time traveller', { length: 50 }));
 */
export class LanguageModel extends Module {
  /** Which token each id stands for. */
  readonly vocabulary: Vocabulary;
  /** The vectors of the tokens; absent where tokens enter as one-hot rows. */
  readonly embedding?: Embedding;
  /** The recurrent stack. */
  readonly rnn: RecurrentStack;
  /** From the output of the stack to a logit for each token. */
  readonly head: Linear;
  /** Whether the head's matrix is that of the embedding. */
  readonly tied: boolean;
  private readonly dropout: Dropout;

  /**
   * @param rnn A DeepRNN, DeepGRU or DeepLSTM, which becomes a part of this model. Its `inputSize` may be left out.
   * @throws ArgumentError for a wrong option, a bidirectional stack (it would see the token to foresee), a batch-first one, or
   *   one whose input size does not fit.
   */
  constructor(rnn: RecurrentStack, options: LanguageModelOptions) {
    super();
    if (!(rnn instanceof RecurrentStack)) throw expected('a DeepRNN, DeepGRU or DeepLSTM', 'rnn', rnn);
    checkOptions(options, 'options', ['vocabulary', 'embedding', 'tied', 'dropout']);
    const { vocabulary, embedding, tied = false, dropout = 0 } = options;
    if (!(vocabulary instanceof Vocabulary)) throw expected('a Vocabulary', 'vocabulary', vocabulary);
    if (rnn.bidirectional) throw expected('one direction only', 'rnn.bidirectional', true);
    if (rnn.batchFirst) throw expected('a time-major stack', 'rnn.batchFirst', true);
    if (embedding !== undefined) checkInteger(embedding, 'embedding', { min: 1 });
    else if (rnn.inputMode === 'skip') throw expected('a size, as skip input takes vectors,', 'embedding', undefined);
    if (checkBoolean(tied, 'tied') && embedding !== rnn.outputSize) {
      throw expected(`the stack's output size ${rnn.outputSize}, as weights are tied,`, 'embedding', embedding);
    }
    checkNumber(dropout, 'dropout', { min: 0, below: 1 });
    const { device, dtype } = rnn;
    const inputSize = embedding ?? vocabulary.size;
    if (rnn.inputSize === undefined) rnn.build(inputSize);
    else if (rnn.inputSize !== inputSize) throw expected(`${inputSize}`, 'rnn.inputSize', rnn.inputSize);
    this.vocabulary = vocabulary;
    this.tied = tied;
    if (embedding !== undefined) {
      this.embedding = new Embedding({ count: vocabulary.size, size: embedding, device, dtype });
    }
    this.rnn = rnn;
    this.head = new Linear({ inputs: rnn.outputSize, outputs: vocabulary.size, device, dtype });
    if (tied) {
      this.head.weight!.dispose();
      this.head.weight = this.embedding!.weight;
    }
    this.dropout = new Dropout(dropout);
  }

  /** Where the parameters live. */
  get device(): Device {
    return this.rnn.device;
  }

  /**
   * @param tokens int32 ids [T,B]
   * @param state From the minibatch before; zeros when absent.
   * @returns `logits` [T,B,V] and the state after the last step.
   * @throws ShapeError or ArgumentError when the tokens or the state do not fit.
   */
  forward(tokens: Tensor, state?: RecurrentState): LanguageModelOutput {
    const x = this.embedding === undefined ? tokens : this.dropout.forward(this.embedding.forward(tokens));
    const { output, state: next } = this.rnn.forward(x, { state });
    return { logits: this.head.forward(this.dropout.forward(output)), state: next };
  }

  /**
   * Continues a text; the result begins with the prefix. Tokens of the prefix that the vocabulary lacks count as `<unk>`.
   *
   * @throws ArgumentError (as a rejection) for a prefix without tokens or a wrong option.
   *
   * @example
   * await model.generate('time traveller', { length: 50, temperature: 0.8, topP: 0.9, seed: 1 });
   */
  async generate(prefix: string, options: GenerationOptions = {}): Promise<string> {
    let text = prefix;
    for await (const pieces of this.continuation(prefix, options, false)) text += pieces.join('');
    return text;
  }

  /**
   * The same as {@link generate}, token by token, without the prefix: each piece as it has to be appended (words begin with
   * the space before them).
   *
   * @example
   * for await (const piece of model.stream('time traveller', { length: 50 })) process.stdout.write(piece);
   */
  async *stream(prefix: string, options: GenerationOptions = {}): AsyncGenerator<string, void, undefined> {
    for await (const pieces of this.continuation(prefix, options, true)) yield* pieces;
  }

  /**
   * Writes weights, configuration and vocabulary into one safetensors file. PyTorch loads the weights by their names:
   * `rnn.weight_ih_l0`, ..., `head.weight`, `head.bias`.
   *
   * @throws The file system's error when it can't be written.
   *
   * @example
   * await model.save('time-machine.safetensors');
   */
  async save(path: string): Promise<void> {
    checkString(path, 'path');
    const config: LanguageModelConfig = {
      stack: stackOptions(this.rnn),
      embedding: this.embedding?.weight.shape[1],
      tied: this.tied,
      dropout: this.dropout.p,
    };
    await writeSafetensors(path, await this.stateDict(), writeConfig(config, this.vocabulary));
  }

  /**
   * The model that {@link save} wrote.
   *
   * @param options `precision` replaces the stored one, see {@link RecurrentOptions.precision}.
   * @throws ArgumentError when the file is no such model; the file system's error when it can't be read.
   *
   * @example
   * const model = await LanguageModel.load('time-machine.safetensors');
   */
  static async load(path: string, options: { device?: Device; precision?: RnnPrecision } = {}): Promise<LanguageModel> {
    checkString(path, 'path');
    checkOptions(options, 'options', ['device', 'precision']);
    const { tensors, metadata } = await readSafetensors(path);
    let model: LanguageModel | undefined;
    try {
      const { config, vocabulary } = readConfig(metadata);
      const { stack, ...rest } = config;
      model = new LanguageModel(
        stackFrom({ ...stack, precision: options.precision ?? stack.precision }, options.device),
        { vocabulary, ...rest },
      );
      model.loadStateDict(tensors);
      return model;
    } catch (error) {
      model?.dispose();
      if (!(error instanceof DeepRnnError)) throw error;
      throw new ArgumentError(`${path}: ${error.message}`, { cause: error });
    }
  }

  /** What has to be appended to `prefix` for each token, chunk by chunk. */
  private async *continuation(
    prefix: string,
    options: GenerationOptions,
    watched: boolean,
  ): AsyncGenerator<string[], void, undefined> {
    checkString(prefix, 'prefix');
    const { kind } = this.vocabulary;
    const ids = this.vocabulary.encode(tokenize(prefix, kind));
    if (ids.length === 0) throw expected('a text with at least one token', 'prefix', prefix);
    const checked = checkGenerationOptions(options);
    const parts = {
      rnn: this.rnn,
      embedding: this.embedding?.weight ?? null,
      headWeight: this.head.weight!,
      headBias: this.head.bias ?? null,
    };
    const separator = joinTokens(['', ''], kind);
    for await (const drawn of generateTokens(parts, ids, checked, watched)) {
      yield Array.from(drawn, (id) => separator + this.vocabulary.tokens[id]);
    }
  }
}
