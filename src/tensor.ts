/** Tensors: typed, shaped, always contiguous views of device buffers. Operations live in ops/. */
import { checkBoolean } from './check.js';
import type { Device } from './device.js';
import {
  arrayFor,
  bytesPer,
  type DataOf,
  type DType,
  dtypeOf,
  isFloat,
  MAX_RANK,
  type NestedNumbers,
  type NumberArray,
  shapeOfNested,
  toElements,
  toNested,
} from './dtype.js';
import { describe, expected, FreedError, ShapeError } from './errors.js';
import type { Node } from './graph.js';
import type { Handle } from './native/binding.js';
import { Storage } from './storage.js';

const MAX_AXIS = 2 ** 31 - 1;

/** Where a tensor belongs that is freed with others: the tensors of one scope, in the order they were made. */
export type TensorOwner = Set<Tensor>;

let currentOwner: TensorOwner | null = null;

/** @internal Makes `owner` take every tensor made from now on (null: nobody does); returns who did before. */
export function exchangeOwner(owner: TensorOwner | null): TensorOwner | null {
  const previous = currentOwner;
  currentOwner = owner;
  return previous;
}

// The net under tensors that no scope owns and nobody disposed.
const unowned = new FinalizationRegistry<Storage>((storage) => storage.release());

const ownReads = new WeakSet<object>();

/** @internal Whether `value` is a promise made by reading a tensor: its read is already queued. */
export function isRead(value: object): boolean {
  return ownReads.has(value);
}

function markRead<P extends object>(promise: P): P {
  ownReads.add(promise);
  return promise;
}

type Life = 'alive' | 'disposed' | 'scope ended';

/**
 * An n-dimensional array on a device. Reading its values is asynchronous; everything else returns at once.
 *
 * Made by {@link tensor}, {@link zeros} and all operations. A tensor lives until its scope ends or `dispose()` is called;
 * one made outside of all scopes is also freed when it is garbage.
 * @example
 * using x = tensor([[1, 2], [3, 4]]);
 * x.shape; // [2, 2]
 * x.mul(10).sum(1); // [30, 70]
 * const values = await x.data(); // Float32Array [1, 2, 3, 4]
 */
export class Tensor implements Disposable {
  /** Size of each dimension. */
  readonly shape: readonly number[];
  /** Type of the elements. */
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
  /** Gradient of a leaf after `backward`, null before. It is freed with this tensor. */
  grad: Tensor | null = null;
  /** Shown in error messages. */
  name?: string;
  /** @internal What computed this tensor; null for leaves. */
  node: Node | null = null;
  /** @internal Which output of `node` this is. */
  outputIndex = 0;
  private currentStorage: Storage;
  private currentOffset: number;
  private needsGradient = false;
  private life: Life = 'alive';
  private owner: TensorOwner | null;

  /**
   * @internal A view that takes over one reference to `storage`.
   * @param offset First element, counted in elements of `dtype`.
   */
  constructor(storage: Storage, offset: number, shape: readonly number[], dtype: DType) {
    this.currentStorage = storage;
    this.currentOffset = offset;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.size = sizeOf(shape);
    this.owner = currentOwner;
    this.enlist();
  }

  /** @internal A tensor with undefined contents in a buffer of its own. */
  static allocate(shape: readonly number[], dtype: DType, device: Device): Tensor {
    checkShape(shape, 'shape');
    const bytes = sizeOf(shape) * bytesPer(dtype);
    if (bytes > device.memoryLimit) {
      const limit = `a tensor of at most ${device.memoryLimit} bytes, the device's memory limit,`;
      throw expected(limit, 'shape', `[${shape.join(', ')}] ${dtype}, ${bytes} bytes`, ShapeError);
    }
    return new Tensor(new Storage(device, bytes), 0, shape, dtype);
  }

  /** @internal A tensor that shares the buffer of `of`; `offset` counts elements from the start of `of`. */
  static view(of: Tensor, offset: number, shape: readonly number[]): Tensor {
    of.checkAlive();
    return new Tensor(of.currentStorage.retain(), of.currentOffset + offset, shape, of.dtype);
  }

  /** @internal */
  get storage(): Storage {
    return this.currentStorage;
  }

  /** @internal First element in the storage. */
  get offset(): number {
    return this.currentOffset;
  }

  /** @internal The buffer, for passing to the binding at once. */
  get handle(): Handle {
    this.checkAlive();
    return this.currentStorage.handle;
  }

  /** Where the elements lie. */
  get device(): Device {
    return this.currentStorage.device;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Bytes of the elements. */
  get bytes(): number {
    return this.size * bytesPer(this.dtype);
  }

  /** Whether it was disposed or its scope ended. */
  get isDisposed(): boolean {
    return this.life !== 'alive';
  }

  /** Whether `backward` computes a gradient for this tensor. */
  get requiresGrad(): boolean {
    return this.needsGradient;
  }

  set requiresGrad(value: boolean) {
    checkBoolean(value, 'requiresGrad');
    if (value && !isFloat(this.dtype)) throw expected('a float tensor', 'requiresGrad', this.dtype);
    if (!value && this.node !== null) {
      throw expected('a leaf (use detach() on results of operations)', 'requiresGrad = false', this.toString());
    }
    this.needsGradient = value;
  }

  /** Frees this tensor and its gradient; results that share its buffer keep theirs. Disposing twice is allowed. */
  dispose(): void {
    this.end('disposed');
  }

  /** The same as {@link Tensor.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @throws FreedError when this tensor was freed, DeviceError when its device was closed. */
  checkAlive(): void {
    if (this.life === 'alive') this.device.checkOpen();
    else if (this.life === 'disposed') throw new FreedError(`${this} was disposed`);
    else throw new FreedError(`${this} was freed when its scope ended; use keep()`);
  }

  /**
   * The values in row-major order; resolves when they have been computed.
   *
   * @throws DeviceError (as a rejection) when a computation before this failed.
   */
  data(): Promise<DataOf<DType>> {
    return markRead(this.read());
  }

  /**
   * The value of a tensor with one element.
   *
   * @throws ShapeError when there are several.
   */
  item(): Promise<number> {
    if (this.size !== 1) throw expected('a tensor with one element', 'item()', this.toString(), ShapeError);
    return markRead(this.read().then((values) => values[0]));
  }

  /** The values as arrays nested by the shape; a number for shape []. */
  array(): Promise<NestedNumbers> {
    return markRead(this.read().then((values) => toNested(values, this.shape)));
  }

  /**
   * Overwrites the values in place with `data`: numbers nested like the shape, or flat in row-major order.
   *
   * @throws ShapeError when the number of values or their nesting differs from this tensor's.
   */
  copyFrom(data: NestedNumbers | NumberArray): this {
    if (Array.isArray(data)) {
      const shape = shapeOfNested(data, 'data');
      if (shape.length !== 1 && shape.join() !== this.shape.join()) {
        throw expected(`numbers of shape [${this.shape.join(', ')}]`, 'data', shape, ShapeError);
      }
    } else if (typeof data !== 'number' && dtypeOf(data) === undefined) {
      throw expected('numbers or a Float32Array, Float64Array or Int32Array', 'data', data);
    }
    const elements = toElements(data, this.dtype, 'data');
    if (elements.length !== this.size) throw expected(`${this.size} values`, 'data', elements.length, ShapeError);
    const { handle } = this;
    if (this.size > 0) this.device.binding.write(handle, this.offset * bytesPer(this.dtype), elements);
    return this;
  }

  /** The same values in the same buffer, cut off from the graph. */
  detach(): Tensor {
    return Tensor.view(this, 0, this.shape);
  }

  toString(): string {
    const label = this.name === undefined ? 'tensor' : describe(this.name);
    return `${label} [${this.shape.join(',')}]`;
  }

  /** @internal Makes this tensor a view of another buffer, keeping its identity; takes over one reference to `storage`. */
  rebind(storage: Storage, offset: number): void {
    this.checkAlive();
    if (this.owner === null) unowned.unregister(this);
    this.currentStorage.release();
    this.currentStorage = storage;
    this.currentOffset = offset;
    this.enlist();
  }

  /** @internal Who frees this tensor; null: its user, or the garbage collector. */
  get currentOwner(): TensorOwner | null {
    return this.owner;
  }

  /** @internal Hands this tensor, and its gradient when both belong together, to another owner. */
  moveTo(owner: TensorOwner | null): void {
    if (this.life !== 'alive' || owner === this.owner) return;
    if (this.grad !== null && this.grad.owner === this.owner) this.grad.moveTo(owner);
    this.delist();
    this.owner = owner;
    this.enlist();
  }

  /** @internal Frees this tensor; `life` says in later errors why. */
  end(life: Exclude<Life, 'alive'>): void {
    if (this.life !== 'alive') return;
    // A gradient that was kept or returned on its own has another owner by now.
    if (this.grad !== null && this.grad.owner === this.owner) this.grad.end(life);
    this.delist();
    this.life = life;
    this.currentStorage.release();
  }

  private enlist(): void {
    if (this.owner === null) unowned.register(this, this.currentStorage, this);
    else this.owner.add(this);
  }

  private delist(): void {
    if (this.owner === null) unowned.unregister(this);
    else this.owner.delete(this);
  }

  private async read(): Promise<DataOf<DType>> {
    const { handle } = this;
    const target = new (arrayFor(this.dtype))(this.size);
    return this.size === 0 ? target : this.device.read(handle, this.offset * bytesPer(this.dtype), target);
  }
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const count of shape) size *= count;
  return size;
}

/**
 * A list of at most 8 axis lengths, each an integer from 0 to 2^31 - 1.
 *
 * @throws ShapeError for anything else.
 */
export function checkShape(value: unknown, name: string): readonly number[] {
  const isAxis = (count: unknown) => Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MAX_AXIS;
  if (!Array.isArray(value) || value.length > MAX_RANK || !value.every(isAxis)) {
    throw expected(`at most ${MAX_RANK} integers from 0 to 2^31 - 1`, name, value, ShapeError);
  }
  return value;
}
