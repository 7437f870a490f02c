/** The loss of language models: how well the next token is foreseen. */
import type { SequenceBatch } from '../data/loaders.js';
import type { LanguageModel } from '../models/language-model.js';
import type { RecurrentState } from '../nn/state.js';
import { tensor } from '../ops/create.js';
import { crossEntropy } from '../ops/losses.js';
import type { CarriedState, LossResult } from './pass.js';

/**
 * The mean cross-entropy, over all T B tokens of a minibatch, of the target tokens given the tokens before them.
 *
 * @example
 * const { loss, state } = nextTokenLoss(model, batch);
 */
export function nextTokenLoss(model: LanguageModel, batch: SequenceBatch, state?: CarriedState): LossResult {
  const { x, y, steps, batchSize } = batch;
  const { device } = model;
  const tokens = tensor(x, { shape: [steps, batchSize], device });
  const { logits, state: next } = model.forward(tokens, state as RecurrentState | undefined);
  const loss = crossEntropy(logits, tensor(y, { shape: [steps, batchSize], device }));
  return { loss, count: y.length, state: next };
}
