/** One pass over the minibatches of a loader, for training and evaluation alike. */
import { checkInteger } from '../check.js';
import { expected } from '../errors.js';
import type { RecurrentState } from '../nn/state.js';
import { scope } from '../scope.js';
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
  /** Ends the pass after the step that is under way. */
  signal?: AbortSignal;
  /** Told each loss in order, one step late. */
  onLoss?(loss: number, tokens: number, step: number): void;
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
  checkInteger(result.count, 'count in the result of loss', { min: 1 });
  return result;
}

/**
 * Runs `step` once a minibatch, each in a scope of its own, and averages the losses over their tokens.
 *
 * Each loss is read while the next step is queued: at most two steps wait on the device, and the event loop turns between
 * any two. The state of one step is detached and handed to the next when the loader is consecutive.
 *
 * @returns The mean, and whether the pass was not aborted.
 */
export async function pass<B>(
  loader: BatchSource<B>,
  step: (batch: B, state: CarriedState) => LossResult,
  { signal, onLoss }: PassOptions = {},
): Promise<{ mean: LossMean; complete: boolean }> {
  const mean = new LossMean();
  let state: CarriedState;
  let pending: { loss: Promise<number>; count: number } | undefined;
  let complete = true;
  const settle = async () => {
    if (pending === undefined) return;
    const { loss, count } = pending;
    pending = undefined;
    const value = await loss;
    mean.add(value, count);
    onLoss?.(value, count, mean.steps);
  };
  try {
    for await (const batch of loader) {
      if (signal?.aborted) {
        complete = false;
        break;
      }
      const next = scope(() => {
        const { loss, count, state: left } = checkResult(step(batch, state));
        const value = loss.item();
        // A rejection is met when the loss is settled; one that never is must not end the process.
        value.catch(() => undefined);
        return { loss: value, count, state: loader.consecutive ? detached(left) : undefined };
      });
      disposeState(state);
      state = next.state;
      await settle();
      pending = next;
    }
    await settle();
  } finally {
    disposeState(state);
  }
  return { mean, complete };
}
