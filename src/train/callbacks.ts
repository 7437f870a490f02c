/** What a trainer tells while it runs. */
import type { Epoch } from './metrics.js';

/** One optimizer step, told once its loss is known: while the next step is already under way. */
export interface Step {
  /** The epoch's number, from 1. */
  epoch: number;
  /** The step's number within the epoch, from 1. */
  number: number;
  /** Mean loss of the minibatch before the step. */
  loss: number;
  /** How many tokens the loss is a mean over. */
  tokens: number;
}

/**
 * Functions that a trainer calls. What they throw ends the training and reaches whoever iterates over `fit`.
 *
 * @example
 * const callbacks: TrainerCallbacks = { onStep: ({ epoch, number, loss }) => console.log(epoch, number, loss) };
 */
export interface TrainerCallbacks {
  /** After each step; must not wait. */
  onStep?(step: Step): void;
  /** After each epoch and its validation, before `fit` hands the epoch out; a promise is awaited. */
  onEpoch?(epoch: Epoch): void | Promise<void>;
}
