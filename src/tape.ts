/** The tape: operations record how to compute their gradients, `backward` plays that in reverse. */
import { checkBoolean, checkFunction, checkOptions } from './check.js';
import { ArgumentError, expected, FreedError, ShapeError } from './errors.js';
import type { Backward, GradSink, GradTarget, Node } from './graph.js';
import { DTYPE_CODE } from './native/binding.js';
import { checkSynchronous, scope } from './scope.js';
import { Tensor, type TensorOwner } from './tensor.js';

let enabled = true;
let nodes = 0;

/**
 * Whether operations record for `backward` now.
 *
 * @example
 * noGrad(() => isGradEnabled()); // false
 */
export function isGradEnabled(): boolean {
  return enabled;
}

/**
 * Runs the synchronous `body` without recording: for evaluation and updates of parameters.
 *
 * @throws ArgumentError when `body` returns a promise that is no read.
 * @example
 * const y = noGrad(() => ones([2], { requiresGrad: true }).mul(2)); // requires no gradient
 */
export function noGrad<T>(body: () => T): T {
  checkFunction(body, 'noGrad');
  const before = enabled;
  enabled = false;
  try {
    const result = body();
    checkSynchronous(result, 'noGrad');
    return result;
  } finally {
    enabled = before;
  }
}

/** @internal Whether an operation on these inputs will be recorded. */
export function needsGrad(inputs: readonly (Tensor | null)[]): boolean {
  return enabled && inputs.some((input) => input?.requiresGrad);
}

/**
 * @internal Records an operation; does nothing when no input requires a gradient or recording is off.
 * @param saved Tensors that only `backward` uses: disposed right after it ran, or now when nothing is recorded.
 */
export function record(
  name: string,
  inputs: readonly (Tensor | null)[],
  outputs: readonly Tensor[],
  backward: Backward,
  saved: readonly Tensor[] = [],
): void {
  if (!needsGrad(inputs)) {
    for (const tensor of saved) tensor.dispose();
    return;
  }
  const node: Node = { name, id: nodes++, outputs: outputs.length, inputs, backward, saved };
  outputs.forEach((output, index) => {
    output.requiresGrad = true;
    output.node = node;
    output.outputIndex = index;
  });
}

/** Options of {@link backward}. */
export interface BackwardOptions {
  /** Gradient of the result, shaped like it; left out, the result must have one element, and 1 is taken. */
  gradient?: Tensor;
  /** Keeps the graph for another call. */
  retainGraph?: boolean;
}

/**
 * Adds the gradient of `loss` to `.grad` of every leaf that requires one, and frees the graph.
 *
 * @throws ArgumentError when `loss` does not depend on such a leaf or its graph was freed before; ShapeError when it has
 *   several elements and no `gradient` is given; FreedError when a tensor that the gradient needs was freed.
 * @example
 * const x = tensor([1, 2], { requiresGrad: true });
 * backward(x.square().sum());
 * x.grad; // [2, 4]
 */
export function backward(loss: Tensor, options: BackwardOptions = {}): void {
  if (!(loss instanceof Tensor)) throw expected('a tensor', 'loss', loss);
  checkOptions(options, 'options', ['gradient', 'retainGraph']);
  const retainGraph = checkBoolean(options.retainGraph ?? false, 'retainGraph');
  loss.checkAlive();
  if (!loss.requiresGrad) throw expected('a result of tensors that require gradients', 'loss', `${loss}`);
  if (options.gradient !== undefined) checkGradient(options.gradient, loss);
  else if (loss.size !== 1) throw expected('one element (or the option gradient)', 'loss', `${loss}`, ShapeError);
  const order = reachable(loss);
  scope(() => noGrad(() => new Walk(loss, options.gradient?.detach() ?? filledWithOnes(loss), retainGraph).run(order)));
}

function checkGradient(gradient: Tensor, loss: Tensor): void {
  if (!(gradient instanceof Tensor)) throw expected('a tensor', 'gradient', gradient);
  gradient.checkAlive();
  if (gradient.shape.join() !== loss.shape.join())
    throw expected(`shape [${loss.shape}]`, 'gradient', gradient.shape, ShapeError);
  if (gradient.dtype !== loss.dtype) throw expected(loss.dtype, 'gradient', gradient.dtype);
  if (gradient.device !== loss.device) throw expected("the loss's device", 'gradient', gradient.device.description);
}

/** The operations that `loss` depends on, last recorded first. */
function reachable(loss: Tensor): Node[] {
  const found = new Set<Node>();
  const pending = loss.node === null ? [] : [loss.node];
  while (pending.length > 0) {
    const node = pending.pop()!;
    if (found.has(node)) continue;
    if (node.backward === null) {
      throw new ArgumentError(
        `Expected a graph that is still there for backward but ${node.name} was freed by an earlier backward; pass retainGraph: true to that one`,
      );
    }
    found.add(node);
    for (const input of node.inputs) if (input?.requiresGrad && input.node !== null) pending.push(input.node);
  }
  return [...found].sort((a, b) => b.id - a.id);
}

/** One run of `backward`. Each gradient under way is a wrapper that one slot holds; wrappers may share a storage. */
class Walk {
  private readonly slots = new Map<Node, (Tensor | null)[]>();
  private readonly owner: TensorOwner | null;

  constructor(
    private readonly loss: Tensor,
    private readonly seed: Tensor,
    private readonly retainGraph: boolean,
  ) {
    this.owner = seed.currentOwner;
  }

  run(order: readonly Node[]): void {
    this.add(this.loss, this.seed);
    for (const node of order) {
      const grads = this.slots.get(node);
      this.slots.delete(node);
      if (grads !== undefined) this.step(node, grads);
      if (!this.retainGraph) free(node);
    }
  }

  private step(node: Node, grads: readonly (Tensor | null)[]): void {
    const { inputs } = node;
    const sink: GradSink = {
      wants: (input) => inputs[input]?.requiresGrad === true,
      into: (input) => this.target(inputs[input]!),
      retainGraph: this.retainGraph,
    };
    try {
      const returned = scope(() => node.backward!(grads, sink));
      const results = returned === null || returned instanceof Tensor ? [returned] : returned;
      // One tensor may serve several inputs, or be the gradient that came in: the first use takes it, others get a wrapper.
      const taken = new Set<Tensor | null>(grads);
      const gradients = results.map((result, index) => {
        if (result === null || !sink.wants(index)) return null;
        const gradient = taken.has(result) ? result.detach() : result;
        taken.add(result);
        return gradient;
      });
      for (const grad of grads) grad?.dispose();
      gradients.forEach((gradient, index) => {
        if (gradient !== null) this.add(inputs[index]!, gradient);
      });
    } catch (error) {
      if (error instanceof FreedError) throw new FreedError(`backward of ${node.name}: ${error.message}`);
      throw error;
    }
  }

  /** Adds a gradient to those of `input` and takes it over. */
  private add(input: Tensor, gradient: Tensor): void {
    if (gradient.shape.join() !== input.shape.join()) {
      throw expected(`a gradient of shape [${input.shape}]`, `${input}`, gradient.shape, ShapeError);
    }
    const present = this.present(input);
    if (present === null) {
      // A leaf's gradient outlives this walk, so it must not share or hold on to a larger buffer.
      const fits = input.node !== null || (gradient.storage.isExclusive && gradient.storage.bytes === gradient.bytes);
      this.put(input, fits ? gradient : copied(gradient));
      if (!fits) gradient.dispose();
    } else if (input.node === null || present.storage.isExclusive) {
      accumulate(gradient, present);
      gradient.dispose();
    } else {
      const sum = copied(gradient);
      accumulate(present, sum);
      present.dispose();
      gradient.dispose();
      this.put(input, sum);
    }
  }

  private target(input: Tensor): GradTarget {
    const present = this.present(input);
    if (present !== null && (input.node === null || present.storage.isExclusive)) {
      return { tensor: present, accumulate: true };
    }
    const tensor = present === null ? Tensor.allocate(input.shape, input.dtype, input.device) : copied(present);
    present?.dispose();
    this.put(input, tensor);
    return { tensor, accumulate: present !== null };
  }

  private present(input: Tensor): Tensor | null {
    if (input.node !== null) return this.slots.get(input.node)?.[input.outputIndex] ?? null;
    input.checkAlive();
    return input.grad?.isDisposed ? null : input.grad;
  }

  private put(input: Tensor, gradient: Tensor): void {
    if (input.node === null) {
      gradient.moveTo(input.currentOwner);
      input.grad = gradient;
      return;
    }
    gradient.moveTo(this.owner);
    let slot = this.slots.get(input.node);
    if (slot === undefined) {
      slot = new Array<Tensor | null>(input.node.outputs).fill(null);
      this.slots.set(input.node, slot);
    }
    slot[input.outputIndex] = gradient;
  }
}

function free(node: Node): void {
  for (const tensor of node.saved) tensor.dispose();
  node.inputs = [];
  node.saved = [];
  node.backward = null;
}

function filledWithOnes(like: Tensor): Tensor {
  const ones = Tensor.allocate(like.shape, like.dtype, like.device);
  like.device.binding.fill(DTYPE_CODE[like.dtype], ones.handle, 0, ones.size, 1);
  return ones;
}

function copied(source: Tensor): Tensor {
  const copy = Tensor.allocate(source.shape, source.dtype, source.device);
  copyFlat(source, copy, false);
  return copy;
}

function accumulate(source: Tensor, destination: Tensor): void {
  copyFlat(source, destination, true);
}

function copyFlat(source: Tensor, destination: Tensor, add: boolean): void {
  const { binding } = source.device;
  const layout = Float64Array.of(1, source.size, 1, 1);
  const code = DTYPE_CODE[source.dtype];
  binding.copy(code, layout, add, source.handle, source.offset, destination.handle, destination.offset);
}
