/** The types of the graph that operations leave behind for `backward`; the walk itself is in tape.ts. */
import type { Tensor } from './tensor.js';

/** Where a gradient goes that an operation writes itself; see {@link GradSink.into}. */
export interface GradTarget {
  /** Shaped like the input. */
  tensor: Tensor;
  /** true: add to what is there; false: the contents are undefined and must be overwritten. */
  accumulate: boolean;
}

/** What `backward` tells an operation about the gradients of its inputs. */
export interface GradSink {
  /** Whether anybody wants the gradient of this input. */
  wants(input: number): boolean;
  /** The place for this input's gradient, to be written before asking for the next; the operation then returns null for it. */
  into(input: number): GradTarget;
  /** Whether the graph stays for another `backward`, so that saved tensors must not be spoilt. */
  readonly retainGraph: boolean;
}

/**
 * Computes the gradients of an operation's inputs from those of its outputs, null where nothing flowed back. Runs unrecorded;
 * what it allocates is freed but for the result. It must not write to `grads`, and may return them.
 */
export type Backward = (
  grads: readonly (Tensor | null)[],
  sink: GradSink,
) => readonly (Tensor | null)[] | Tensor | null;

/** One recorded operation. */
export interface Node {
  readonly name: string;
  /** Increases in the order of recording. */
  readonly id: number;
  readonly outputs: number;
  inputs: readonly (Tensor | null)[];
  /** Null once `backward` freed the graph. */
  backward: Backward | null;
  /** Tensors that only this operation's backward uses. */
  saved: readonly Tensor[];
}
