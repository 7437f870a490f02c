/** What training reports: losses averaged over tokens, perplexity, and tokens per second. */

/**
 * The perplexity of a mean cross-entropy in nats: e^loss; 1 is certainty, V is guessing among V tokens.
 *
 * @example
 * perplexity(Math.log(28)); // 28
 */
export function perplexity(loss: number): number {
  return Math.exp(loss);
}

/** The result of an evaluation without training. */
export interface Evaluation {
  /** Mean loss over all tokens. */
  loss: number;
  /** e^loss */
  perplexity: number;
  /** How many tokens the loss was averaged over. */
  tokens: number;
}

/** What one epoch of training came to. */
export interface Epoch extends Evaluation {
  /** 1 for the first epoch of a `fit`. */
  number: number;
  /** Whether every minibatch was trained on: false only for the last epoch of an aborted `fit`. */
  complete: boolean;
  /** Wall time of the training: loading, copying, computing and reading the loss, without validation and callbacks. */
  seconds: number;
  /** D2L's definition: the epoch's tokens over its seconds. */
  tokensPerSecond: number;
  /** The same over all epochs of this `fit` so far but the first, which warms up (while there is no other: the first). */
  steadyTokensPerSecond: number;
  /** The optimizer's learning rate at the start of the epoch. */
  learningRate: number;
  /** On the validation data, after the epoch. */
  validation?: Evaluation;
}

/** The mean of losses, each weighted by the number of tokens it is itself a mean over. */
export class LossMean {
  tokens = 0;
  steps = 0;
  private sum = 0;

  add(loss: number, tokens: number): void {
    this.sum += loss * tokens;
    this.tokens += tokens;
    this.steps += 1;
  }

  result(): Evaluation {
    const loss = this.sum / this.tokens;
    return { loss, perplexity: perplexity(loss), tokens: this.tokens };
  }
}

/** Tokens per second over many epochs, leaving the first out as soon as there is another. */
export class SteadyRate {
  private epochs = 0;
  private tokens = 0;
  private seconds = 0;

  /** Adds an epoch and returns the rate so far. */
  add(tokens: number, seconds: number): number {
    if (++this.epochs === 2) this.tokens = this.seconds = 0;
    this.tokens += tokens;
    this.seconds += seconds;
    return this.tokens / this.seconds;
  }
}
