/**
 * Parameters and the flat buffers they are views of.
 *
 * All parameters of a model lie in one buffer and their gradients in a second one, so that an optimizer's step, a norm or a
 * fill is one command. A module makes a small store when it is built; {@link consolidate} moves the stores of a whole model
 * into one, while every Parameter object keeps its identity.
 */
import type { Device } from '../device.js';
import { bytesPer, type FloatDType } from '../dtype.js';
import { expected } from '../errors.js';
import { copyRegion, fill } from '../ops/primitives.js';
import { untracked } from '../scope.js';
import { sizeOf, Tensor } from '../tensor.js';

const ALIGNMENT_BYTES = 64;

/**
 * A trainable tensor: a leaf whose gradient always exists and is accumulated in place. Made by modules and {@link parameter}.
 *
 * @example
 * for (const [name, parameter] of model.namedParameters()) console.log(name, parameter.shape);
 */
export class Parameter extends Tensor {
  /** Type of the elements. */
  declare readonly dtype: FloatDType;
  /** The gradient, accumulated in place. */
  declare readonly grad: Tensor;
  /** @internal The buffers that this is a view of. */
  store: ParameterStore;
  /** @internal Index among the store's parameters. */
  position = -1;

  /** @internal */
  constructor(store: ParameterStore, offset: number, shape: readonly number[]) {
    super(store.values.storage.retain(), offset, shape, store.values.dtype);
    this.store = store;
    this.requiresGrad = true;
    const grad = new Tensor(store.gradients.storage.retain(), offset, shape, store.values.dtype);
    // Replacing it would leave the flat buffer without this gradient.
    Object.defineProperty(this, 'grad', { value: grad, writable: false, enumerable: true });
  }

  /** @internal Moves this view to `store`, `shift` elements further. */
  move(store: ParameterStore, shift: number): void {
    const offset = this.offset + shift;
    this.rebind(store.values.storage.retain(), offset);
    this.grad.rebind(store.gradients.storage.retain(), offset);
    this.store = store;
  }
}

/** @internal Two flat buffers, values and gradients, and the parameters that are views of them. */
export class ParameterStore {
  readonly values: Tensor;
  readonly gradients: Tensor;
  /** In the order of their offsets, without overlap; the gradients between them are zero and stay so. */
  readonly parameters: Parameter[] = [];
  /** Views over several parameters, such as the flat weights of a recurrent stack. */
  readonly blocks: Parameter[] = [];

  constructor(count: number, dtype: FloatDType, device: Device) {
    [this.values, this.gradients] = untracked(() => [
      Tensor.allocate([count], dtype, device),
      Tensor.allocate([count], dtype, device),
    ]);
    for (const buffer of [this.values, this.gradients]) fill(buffer, 0);
  }

  /** The next parameter; offsets must rise. */
  addParameter(offset: number, shape: readonly number[], name: string): Parameter {
    const parameter = this.addView(offset, shape, name);
    parameter.position = this.parameters.push(parameter) - 1;
    return parameter;
  }

  addBlock(offset: number, count: number, name: string): Parameter {
    const block = this.addView(offset, [count], name);
    this.blocks.push(block);
    return block;
  }

  /** Frees the buffers once every parameter was disposed. */
  release(): void {
    if (!this.parameters.every((parameter) => parameter.isDisposed)) return;
    for (const tensor of [...this.blocks, this.values, this.gradients]) tensor.dispose();
  }

  private addView(offset: number, shape: readonly number[], name: string): Parameter {
    const view = untracked(() => new Parameter(this, offset, shape));
    view.name = name;
    return view;
  }
}

/** @internal Zero-filled parameters of one module in a store of their own, in the order given. */
export function createParameters<K extends string>(
  shapes: Record<K, readonly number[]>,
  dtype: FloatDType,
  device: Device,
): Record<K, Parameter> {
  const entries = Object.entries(shapes) as [K, readonly number[]][];
  const total = entries.reduce((sum, [, shape]) => sum + aligned(sizeOf(shape), dtype), 0);
  const store = new ParameterStore(total, dtype, device);
  const result = {} as Record<K, Parameter>;
  let offset = 0;
  for (const [name, shape] of entries) {
    result[name] = store.addParameter(offset, shape, name);
    offset += aligned(sizeOf(shape), dtype);
  }
  return result;
}

/**
 * A parameter for a module of your own, with a copy of the values of `initial`.
 *
 * @throws ArgumentError unless `initial` is a float tensor.
 * @example
 * class Scale extends Module {
 *   readonly factor = parameter(ones([5]));
 *   forward(x: Tensor) { return mul(x, this.factor); }
 * }
 * new Scale().forward(ones([2, 5])); // [2, 5]
 */
export function parameter(initial: Tensor): Parameter {
  if (!(initial instanceof Tensor) || initial.dtype === 'int32') throw expected('a float tensor', 'initial', initial);
  const result = createParameters({ parameter: initial.shape }, initial.dtype, initial.device).parameter;
  copyFlat(initial, result, 0);
  return result;
}

/**
 * Moves the given parameters, with all that share their buffers, into one store per dtype. Values, gradients and the identity
 * of every Parameter stay.
 *
 * @throws ArgumentError when the parameters lie on different devices.
 */
export function consolidate(parameters: Iterable<Parameter>): void {
  const stores = new Map<FloatDType, Set<ParameterStore>>();
  let device: Device | undefined;
  for (const parameter of parameters) {
    device ??= parameter.device;
    if (parameter.device !== device)
      throw expected(`device ${device.description}`, `parameter ${parameter}`, parameter.device.description);
    const set = stores.get(parameter.dtype) ?? new Set();
    stores.set(parameter.dtype, set.add(parameter.store));
  }
  for (const [dtype, set] of stores) if (set.size > 1) merge([...set], dtype, device!);
}

function merge(stores: ParameterStore[], dtype: FloatDType, device: Device): void {
  const total = stores.reduce((sum, store) => sum + aligned(store.values.size, dtype), 0);
  const merged = new ParameterStore(total, dtype, device);
  let base = 0;
  for (const store of stores) {
    copyFlat(store.values, merged.values, base);
    copyFlat(store.gradients, merged.gradients, base);
    for (const block of store.blocks.filter((view) => !view.isDisposed)) {
      block.move(merged, base);
      merged.blocks.push(block);
    }
    for (const parameter of store.parameters.filter((view) => !view.isDisposed)) {
      parameter.move(merged, base);
      parameter.position = merged.parameters.push(parameter) - 1;
    }
    store.values.dispose();
    store.gradients.dispose();
    base += aligned(store.values.size, dtype);
  }
}

/** @internal Neighbours in one store: `count` elements from `offset` of its buffers, from parameter `first` on. */
export interface Run {
  store: ParameterStore;
  offset: number;
  count: number;
  first: Parameter;
}

/**
 * @internal The fewest runs that cover exactly the given parameters (and the zeros between neighbours).
 * @param joins Whether two neighbours may share a run.
 */
export function contiguousRuns(
  parameters: Iterable<Parameter>,
  joins: (left: Parameter, right: Parameter) => boolean = () => true,
): Run[] {
  const stores = new Map<ParameterStore, Parameter[]>();
  for (const parameter of parameters) {
    const members = stores.get(parameter.store);
    if (members) members.push(parameter);
    else stores.set(parameter.store, [parameter]);
  }
  const runs: Run[] = [];
  for (const [store, members] of stores) {
    members.sort((a, b) => a.position - b.position);
    let previous: Parameter | undefined;
    for (const parameter of members) {
      const { offset, size } = parameter;
      if (previous && parameter.position === previous.position + 1 && joins(previous, parameter)) {
        const run = runs[runs.length - 1];
        run.count = offset + size - run.offset;
      } else {
        runs.push({ store, offset, count: size, first: parameter });
      }
      previous = parameter;
    }
  }
  return runs;
}

/** @internal The gradients of a run as one flat tensor. */
export function gradientsOf({ store, offset, count }: Run): Tensor {
  return Tensor.view(store.gradients, offset, [count]);
}

function copyFlat(source: Tensor, target: Tensor, offset: number): void {
  copyRegion([source.size], { tensor: source, offset: 0, strides: [1] }, { tensor: target, offset, strides: [1] });
}

function aligned(count: number, dtype: FloatDType): number {
  const unit = ALIGNMENT_BYTES / bytesPer(dtype);
  return Math.ceil(count / unit) * unit;
}
