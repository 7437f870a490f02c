/** One pass over the minibatches of a loader, for training and evaluation alike. */
import { checkInteger } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import type { RecurrentState } from '../nn/state.js';
import { copyRegion, emptyLike } from '../ops/primitives.js';
import { scope, untracked } from '../scope.js';
import { Tensor } from '../tensor.js';
import { LossMean } from './metrics.js';

/** Whatever a model carries from minibatch to minibatch: tensors, nested at will in arrays and plain objects. */
export type CarriedState =
  | Tensor
  | null
  | undefined
  | RecurrentState
  | readonly CarriedState[]
  | { readonly [name: string]: CarriedState };

/** A source of minibatches: each iteration is one epoch. */
export type BatchSource<B> = (Iterable<B> | AsyncIterable<B>) & {
  /** Whether the samples of a minibatch continue those of the one before, so that the state may be carried over. */
  readonly consecutive?: boolean;
};

/** What a loss function returns. */
export interface LossResult {
  /** Mean loss of the minibatch, one element. */
  loss: Tensor;
  /** How many tokens (or examples) `loss` is a mean over. */
  count: number;
  /** Given to the next minibatch's call when the loader is consecutive, detached. */
  state?: CarriedState;
}

export interface PassOptions {
  /** Ends the pass after the steps that are queued. */
  signal?: AbortSignal;
  /** Told each loss in order, while a later step is already queued. */
  onLoss?(loss: number, tokens: number, step: number): void;
  /** For losses that nobody waits for: how many are read together. Absent: each by itself, one step late. */
  pace?: Pace;
}

const READ_MILLISECONDS = 150;
const MOST_UNREAD = 8;

/**
 * How many losses to read together so that about {@link READ_MILLISECONDS} pass between reads; learnt over passes.
 *
 * A thread that wakes up for every loss takes a core from those that compute, and finds its caches cold each time.
 */
export class Pace {
  together = 1;

  /** Learns from some losses that took so long together. */
  observe(milliseconds: number, count: number): void {
    const fitting = Math.floor((READ_MILLISECONDS * count) / milliseconds);
    this.together = Math.max(1, Math.min(MOST_UNREAD, fitting));
  }
}

/** The same structure with every tensor cut off from the graph. */
function detached(state: CarriedState): CarriedState {
  if (state === null || state === undefined) return state;
  if (state instanceof Tensor) return state.detach();
  if (Array.isArray(state)) return state.map(detached);
  if (typeof state !== 'object') throw expected('tensors in arrays and objects', 'state', state);
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, detached(value)]));
}

function disposeState(state: CarriedState): void {
  if (state instanceof Tensor) state.dispose();
  else if (state) for (const value of Object.values(state)) disposeState(value);
}

function checkResult(result: LossResult): LossResult {
  if (!(result?.loss instanceof Tensor)) throw expected('{ loss: a tensor, count }', 'the result of loss', result);
  if (result.loss.size !== 1) {
    throw expected('one element', 'loss in the result of loss', `shape [${result.loss.shape.join(', ')}]`, ShapeError);
  }
  checkInteger(result.count, 'count in the result of loss', { min: 1 });
  return result;
}

/**
 * The losses of one pass: kept on the device, read some at a time.
 *
 * They are copied to places of their own, so that every step finds the same memory free and can be replayed ({@link graphed}).
 */
class Losses {
  readonly mean = new LossMean();
  private readonly places: Tensor[] = [];
  private counts: number[] = [];
  private reading?: { values: Promise<number[]>; counts: number[] };
  private settledAt = performance.now();

  constructor(private readonly options: PassOptions) {}

  add(loss: Tensor, count: number): void {
    const place = this.placeLike(this.counts.push(count) - 1, loss);
    copyRegion([1], { tensor: loss, offset: 0, strides: [1] }, { tensor: place, offset: 0, strides: [1] });
    loss.dispose();
  }

  /** Starts to read what was added, when that is enough or `all` is asked for. */
  read(all = false): void {
    const { counts } = this;
    if (counts.length === 0 || (counts.length < (this.options.pace?.together ?? 1) && !all)) return;
    const values = Promise.all(counts.map((_, i) => this.places[i].item()));
    // A rejection is met when the losses are settled; one that never is must not end the process.
    values.catch(() => undefined);
    this.reading = { values, counts };
    this.counts = [];
  }

  /** Waits for what is being read, and tells it. */
  async settle(): Promise<void> {
    if (this.reading === undefined) return;
    const { values, counts } = this.reading;
    this.reading = undefined;
    const losses = await values;
    for (const [i, loss] of losses.entries()) {
      this.mean.add(loss, counts[i]);
      this.options.onLoss?.(loss, counts[i], this.mean.steps);
    }
    const now = performance.now();
    this.options.pace?.observe(now - this.settledAt, counts.length);
    this.settledAt = now;
  }

  dispose(): void {
    for (const place of this.places) place.dispose();
  }

  private placeLike(i: number, loss: Tensor): Tensor {
    const place: Tensor | undefined = this.places[i];
    if (place?.dtype === loss.dtype && place.device === loss.device) return place;
    place?.dispose();
    this.places[i] = untracked(() => emptyLike(loss, []));
    return this.places[i];
  }
}

/**
 * Runs `step` once a minibatch, each in a scope of its own, and averages the losses over their tokens.
 *
 * Losses are read while the next step is queued, so that the device does not wait and the event loop turns. The state of one
 * step is detached and handed to the next when the loader is consecutive.
 *
 * @returns The mean, and whether the pass was not aborted.
 */
export async function pass<B>(
  loader: BatchSource<B>,
  step: (batch: B, state: CarriedState) => LossResult,
  options: PassOptions = {},
): Promise<{ mean: LossMean; complete: boolean }> {
  const { signal } = options;
  const losses = new Losses(options);
  let state: CarriedState;
  let complete = true;
  try {
    for await (const batch of loader) {
      if (signal?.aborted) {
        complete = false;
        break;
      }
      losses.read();
      const next = scope(() => {
        const { loss, count, state: left } = checkResult(step(batch, state));
        return { loss: loss.detach(), count, state: loader.consecutive ? detached(left) : undefined };
      });
      disposeState(state);
      state = next.state;
      losses.add(next.loss, next.count);
      await losses.settle();
    }
    losses.read(true);
    await losses.settle();
  } finally {
    disposeState(state);
    losses.dispose();
  }
  return { mean: losses.mean, complete };
}
