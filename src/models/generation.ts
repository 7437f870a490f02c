/** Writing text with a trained model: the loop over tokens runs in native code, some tokens at a time. */
import { checkInteger, checkNumber, checkOptions } from '../check.js';
import type { RecurrentStack } from '../nn/recurrent.js';
import { addresses } from '../ops/primitives.js';
import { nextSeed } from '../random.js';
import { untracked } from '../scope.js';
import { Tensor } from '../tensor.js';

/** How the next token is chosen. */
export interface GenerationOptions {
  /** Tokens to add. Default 50. */
  length?: number;
  /** 0: always the likeliest token; else logits are divided by this and a token is drawn. Default 0. */
  temperature?: number;
  /** Draw among the so many likeliest tokens only. Default: all. */
  topK?: number;
  /** Draw among the fewest likeliest tokens whose probabilities reach this sum only (nucleus sampling). Default 1: all. */
  topP?: number;
  /** Repeats the draws. Default: from the global seed. */
  seed?: number;
}

/** What generation needs of a model; all tensors have the stack's dtype. */
export interface GenerativeModel {
  rnn: RecurrentStack;
  /** [V,E], or null when tokens go in as one-hot. */
  embedding: Tensor | null;
  /** [V,O] */
  headWeight: Tensor;
  /** [V] */
  headBias: Tensor | null;
}

/** Tokens of one native call when somebody watches the text grow. */
const WATCHED = 8;
/**
 * Else as many as take about {@link CALL_MILLISECONDS}, which whatever comes next on the device may have to wait for: each call packs
 * the weights anew and waits for JavaScript.
 */
const FIRST = 256;
const MOST = 4096;
const CALL_MILLISECONDS = 100;

/** @throws ArgumentError for a wrong option. */
export function checkGenerationOptions(options: GenerationOptions): Required<GenerationOptions> {
  checkOptions(options, 'options', ['length', 'temperature', 'topK', 'topP', 'seed']);
  const { length = 50, temperature = 0, topK = 0, topP = 1, seed = nextSeed() } = options;
  return {
    length: checkInteger(length, 'length', { min: 1 }),
    temperature: checkNumber(temperature, 'temperature', { min: 0 }),
    topK: options.topK === undefined ? topK : checkInteger(topK, 'topK', { min: 1 }),
    topP: checkNumber(topP, 'topP', { above: 0, max: 1 }),
    seed: checkInteger(seed, 'seed', { min: 0 }),
  };
}

/**
 * Continues `prefix` from a zero state, handing out ids in chunks, on whose sizes the draws do not depend. Between chunks the state
 * stays on the device.
 *
 * @param prefix At least one id, each 0..V-1.
 * @param watched Whether somebody waits for each token, not for the last one only.
 */
export async function* generateTokens(
  model: GenerativeModel,
  prefix: Int32Array,
  { length, temperature, topK, topP, seed }: Required<GenerationOptions>,
  watched: boolean,
): AsyncGenerator<Int32Array, void, undefined> {
  const { rnn, embedding, headWeight, headBias } = model;
  const [state, tokens] = untracked(() => [
    rnn.zeroState(1),
    Tensor.allocate([Math.min(watched ? WATCHED : MOST, length)], 'int32', rnn.device),
  ]);
  const { h, c = null } = state;
  try {
    let fed = prefix;
    let chunk = watched ? WATCHED : FIRST;
    for (let done = 0; done < length; ) {
      const start = performance.now();
      const count = Math.min(chunk, length - done);
      const numbers = [headWeight.shape[0], embedding?.shape[1] ?? 0, count, temperature, topK, topP, seed, done];
      const buffers = addresses(rnn.parametersBlock!, embedding, headWeight, headBias, h, c, tokens);
      rnn.device.binding.generate(rnn.handle!.id, Float64Array.from(numbers), fed, buffers);
      const drawn = ((await tokens.data()) as Int32Array).subarray(0, count);
      if (!watched && 2 * (performance.now() - start) < CALL_MILLISECONDS) chunk = Math.min(2 * chunk, MOST);
      yield drawn;
      // The last token has not gone through the stack yet.
      fed = drawn.slice(count - 1);
      done += count;
    }
  } finally {
    for (const tensor of [h, c, tokens]) tensor?.dispose();
  }
}
