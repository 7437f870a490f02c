/** Devices: each has a thread and a queue of its own, in native code, that runs what tensors ask for in order. */
import { totalmem } from 'node:os';
import { checkBoolean, checkChoice, checkInteger, checkOptions } from './check.js';
import { DeviceError, expected } from './errors.js';
import {
  type Binding,
  CUDA_PRESENCE,
  type DeviceId,
  type Handle,
  type RnnId,
  type TypedArray,
} from './native/binding.js';
import { load } from './native/load.js';

/** The kinds of device. */
export type DeviceKind = 'cpu' | 'cuda';

/** What a device takes. */
export interface DeviceMemory {
  /** Bytes of live buffers. */
  bytes: number;
  /** How many live buffers there are. */
  buffers: number;
  /** The most bytes of live buffers so far. */
  peak: number;
  /** Bytes that the allocator holds in all, spare blocks too. */
  cached: number;
  /** Bytes of scratch memory beside the buffers, as far as queued commands have run. */
  scratch: number;
  /** How many blocks were taken from the system so far, for buffers and scratch memory. */
  systemAllocations: number;
}

/** What a device reaches at most, as {@link Device.measurePeak} found it. */
export interface DevicePeak {
  /** Floating-point operations a second of all threads together in float32, a multiply-add counted as two. */
  float32: number;
  /** The same with bfloat16 operands and float32 sums. */
  bfloat16: number;
  /** The same with operands in TF32; 0 on a CPU. */
  tf32: number;
  /** Bytes a second that copies within the device's memory read and write; 0 on a CPU, where it is not measured. */
  copy: number;
  /** Seconds that all threads take to wait for each other once: 0 for one thread; on a GPU from one kernel to the next. */
  barrier: number;
}

/** One way of running a pass of a recurrent stack that there was to choose from. */
export interface RnnTrial {
  /** On a GPU: cuDNN's algorithm. */
  algorithm?: 'standard' | 'persistStatic' | 'persistDynamic' | 'persistStaticSmallH';
  /** On a CPU: the threads that share a pass. */
  threads?: number;
  /** On a CPU: whether each thread takes rows of the batch through all steps, or units of the hidden layer in every step. */
  split?: 'rows' | 'units';
  /** Of one pass, as measured; absent: not measured. */
  milliseconds?: number;
  /** Why it does not run, in cuDNN's words. */
  refused?: string;
}

/** How one kind of pass runs, see {@link Device.explain}. */
export interface RnnPassExplanation {
  /** `training` is forward and backward of a step together, which one of cuDNN's algorithms runs. */
  pass: 'inference' | 'training' | 'forward' | 'backward';
  /** What runs. */
  chosen: RnnTrial;
  /**
   * Why: the program or `DEEP_RNN_ALGORITHM` pinned it, it is the only one that takes such a pass, it was the fastest in this
   * process or in an earlier one, or there was no memory to measure with; `measuring`: a CPU is still trying.
   */
  source: 'pinned' | 'only' | 'measured' | 'cached' | 'unmeasured' | 'measuring';
  /** All that was tried, the chosen one among them. */
  candidates: RnnTrial[];
}

/** What {@link Device.explain} returns. */
export interface RnnExplanation {
  /** {@link Device.description}: on a CPU its instruction set and threads, else the GPU and the versions of driver and cuDNN. */
  device: string;
  /** Every kind of pass of this shape that has run; empty before the first. */
  passes: RnnPassExplanation[];
}

/** @internal A pass of a registered stack, by its shape. */
export interface StackPass {
  device: Device;
  id: RnnId;
  steps: number;
  batch: number;
  uneven: boolean;
}

/** What {@link Device.explain} asks about; the recurrent stacks are. */
export interface Explainable<Input extends unknown[]> {
  /** @internal */
  passOf(...input: Input): StackPass;
}

/** Most bytes of an explanation: cuDNN's words are a few hundred. */
const EXPLANATION_BYTES = 65_536;

/** How the steps that {@link graphed} marks went on a device, as far as queued commands have run. All 0 on the CPU. */
export interface DeviceGraphs {
  /** CUDA graphs that can be replayed now. */
  held: number;
  /** Steps that became a graph. */
  captured: number;
  /** Steps that were launched as one graph. */
  replayed: number;
  /** Steps of which every operation was launched by itself. */
  eager: number;
  /** Captures that the driver or a library refused; such a step stays eager. */
  refused: number;
}

/** Options of {@link device}. */
export interface DeviceOptions {
  /** Threads of a CPU device; 0 takes all that the process may use. */
  threads?: number;
  /** Most bytes that buffers may take together; 0 takes the memory of the machine, or of the GPU. */
  memoryLimit?: number;
  /**
   * Whether a GPU replays the steps that {@link graphed} marks, a trainer's among them, as CUDA graphs. Default: unless the
   * environment variable DEEP_RNN_CUDA_GRAPHS is 0.
   */
  cudaGraphs?: boolean;
}

const KIND_CODE = { cpu: 0, cuda: 1 } as const;

/** A place where tensors live and are computed with. Opened by {@link device}. */
export class Device implements Disposable {
  /** Which kind of device this is. */
  readonly kind: DeviceKind;
  /** One line for people: instruction set and threads, or the GPU's name. */
  readonly description: string;
  /** Threads that compute; 1 where the device is no CPU. */
  readonly threads: number;
  /** Most bytes that buffers may take together; more than there are on a GPU for which no limit was named. */
  readonly memoryLimit: number;
  /** Whether {@link graphed} has an effect here: never on the CPU. */
  readonly usesGraphs: boolean;
  /** @internal */
  readonly binding: Binding;
  /** @internal */
  readonly id: DeviceId;
  private closed = false;

  /** @internal Use {@link device}. */
  constructor(binding: Binding, kind: DeviceKind, threads: number, memoryLimit: number, cudaGraphs = false) {
    this.binding = binding;
    this.kind = kind;
    this.usesGraphs = kind === 'cuda' && cudaGraphs;
    // A GPU that is full says so itself, when the stream comes to it.
    this.memoryLimit = memoryLimit || (kind === 'cpu' ? totalmem() : Number.MAX_SAFE_INTEGER);
    this.id = rewording(() => binding.openDevice(KIND_CODE[kind], threads, this.memoryLimit));
    this.description = binding.describeDevice(this.id);
    this.threads = binding.deviceStatistics(this.id)[4];
  }

  /** Whether {@link Device.close} was called. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** What the live buffers take now; commands still queued count as done. */
  memory(): DeviceMemory {
    this.checkOpen();
    const [bytes, buffers, peak, cached, , , scratch, systemAllocations] = this.binding.deviceStatistics(this.id);
    return { bytes, buffers, peak, cached, scratch, systemAllocations };
  }

  /** How many steps were captured and replayed so far. */
  graphs(): DeviceGraphs {
    this.checkOpen();
    const [held, captured, replayed, eager, refused] = this.binding.graphStatistics(this.id);
    return { held, captured, replayed, eager, refused };
  }

  /**
   * Resolves when everything asked for before has been computed.
   *
   * @throws DeviceError (as a rejection) when a computation failed.
   */
  async synchronize(): Promise<void> {
    this.checkOpen();
    await this.binding.synchronize(this.id).catch(rethrowAsDeviceError);
  }

  /**
   * Measures, once everything asked for before has been computed, what the device can do at most: arithmetic in registers on
   * all threads at once, the best of 9 times 2 ms. Divide a program's rate by it to see what is left to gain.
   *
   * @throws DeviceError (as a rejection) when a computation failed.
   */
  async measurePeak(): Promise<DevicePeak> {
    this.checkOpen();
    const numbers = new Float64Array(5);
    await this.binding.measurePeak(this.id, numbers).catch(rethrowAsDeviceError);
    const [float32, barrier, bfloat16, tf32, copy] = numbers;
    return { float32, bfloat16, tf32, copy, barrier };
  }

  /**
   * Tells how passes of a recurrent stack over inputs of this shape have run so far, and why so: on a GPU cuDNN's algorithm, on
   * a CPU the threads and what they share out, with all that was tried and how long it took. Computes nothing.
   *
   * @param input what `forward` takes: the input, then the options if there are any.
   * @throws ArgumentError when the stack is on another device; ShapeError when the input does not fit;
   *   DeviceError (as a rejection) when a computation failed.
   * @example
   * const rnn = new DeepLSTM({ layers: 2, hiddenSize: 64 });
   * const x = randn([35, 32, 28]);
   * rnn.forward(x);
   * for (const { pass, chosen, source } of (await rnn.device.explain(rnn, x)).passes) console.log(pass, chosen, source);
   */
  async explain<Input extends unknown[]>(rnn: Explainable<Input>, ...input: Input): Promise<RnnExplanation> {
    this.checkOpen();
    if (typeof rnn?.passOf !== 'function') throw expected('a recurrent stack', 'rnn', rnn);
    const { device, id, steps, batch, uneven } = rnn.passOf(...input);
    if (device !== this) throw expected('a stack on this device', 'rnn', `one on ${device.description}`);
    const target = new Uint8Array(EXPLANATION_BYTES);
    await this.binding.explainRnn(id, steps, batch, uneven, target).catch(rethrowAsDeviceError);
    const text = new TextDecoder().decode(target.subarray(0, target.indexOf(0)));
    return { device: this.description, passes: JSON.parse(text) };
  }

  /** Forgets a failed computation, so that the device can be used again. Tensors computed since then hold undefined values. */
  clearError(): void {
    this.checkOpen();
    this.binding.clearError(this.id);
  }

  /** Drops queued work, rejects pending reads and frees all tensors of this device. Closing twice is allowed. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.binding.closeDevice(this.id);
  }

  /** The same as {@link Device.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @throws DeviceError when this device was closed. */
  checkOpen(): void {
    if (this.closed) throw new DeviceError(`Expected an open device but this one was closed: ${this.description}`);
  }

  /** @internal A new buffer with undefined contents. */
  allocate(bytes: number): Handle {
    this.checkOpen();
    return rewording(() => this.binding.alloc(this.id, bytes));
  }

  /** @internal Fills `target` from a buffer; rejects with DeviceError. */
  async read<A extends TypedArray>(buffer: Handle, byteOffset: number, target: A): Promise<A> {
    await this.binding.read(buffer, byteOffset, target).catch(rethrowAsDeviceError);
    return target;
  }
}

function rewording<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    return rethrowAsDeviceError(error);
  }
}

function rethrowAsDeviceError(error: unknown): never {
  throw new DeviceError(error instanceof Error ? error.message : String(error), { cause: error });
}

let saidNoCuda = false;

/** A CUDA device if there is one. A machine with NVIDIA's driver whose GPU cannot be used is told why, once. */
function cudaOrNothing(binding: Binding, memoryLimit: number, cudaGraphs: boolean): Device | undefined {
  if (binding.cudaPresence() !== CUDA_PRESENCE.driver) return undefined;
  try {
    return new Device(binding, 'cuda', 0, memoryLimit, cudaGraphs);
  } catch (error) {
    if (!saidNoCuda) {
      saidNoCuda = true;
      process.emitWarning(`computing on the CPU, because no CUDA device opens: ${(error as Error).message}`, {
        code: 'DEEP_RNN_NO_CUDA',
      });
    }
    return undefined;
  }
}

/** The kind that DEEP_RNN_DEVICE names, else `'auto'`. */
function kindOfEnvironment(): 'auto' | DeviceKind {
  return checkChoice(process.env.DEEP_RNN_DEVICE || 'auto', 'DEEP_RNN_DEVICE', ['auto', 'cpu', 'cuda']);
}

/**
 * Opens a device. `'auto'` takes the kind that the environment variable DEEP_RNN_DEVICE names, else a GPU where one can be
 * used, else the CPU; `deep-rnn doctor` says why a GPU cannot.
 *
 * @throws DeviceError when the machine has no such device, with the reason; ArgumentError for wrong options.
 * @example
 * using cpu = device('cpu', { threads: 2 });
 */
export function device(kind: 'auto' | DeviceKind = 'auto', options: DeviceOptions = {}): Device {
  checkChoice(kind, 'kind', ['auto', 'cpu', 'cuda']);
  checkOptions(options, 'options', ['threads', 'memoryLimit', 'cudaGraphs']);
  const threads = checkInteger(options.threads ?? 0, 'threads', { min: 0, max: 1024 });
  const memoryLimit = checkInteger(options.memoryLimit ?? 0, 'memoryLimit', { min: 0 });
  const cudaGraphs = checkBoolean(options.cudaGraphs ?? process.env.DEEP_RNN_CUDA_GRAPHS !== '0', 'cudaGraphs');
  const { binding } = load();
  const wanted = kind === 'auto' ? kindOfEnvironment() : kind;
  if (wanted === 'cuda') return new Device(binding, 'cuda', 0, memoryLimit, cudaGraphs);
  const cuda = wanted === 'auto' ? cudaOrNothing(binding, memoryLimit, cudaGraphs) : undefined;
  return cuda ?? new Device(binding, 'cpu', threads, memoryLimit);
}

let current: Device | undefined;

/**
 * The device that is used where none is named: the one set last, else one opened on first use.
 *
 * @example
 * const { buffers, bytes } = defaultDevice().memory();
 */
export function defaultDevice(): Device {
  if (current === undefined || current.isClosed) current = device();
  return current;
}

/**
 * Makes `next` the device that is used where none is named.
 *
 * @example
 * setDefaultDevice(device('cpu', { threads: 1 }));
 */
export function setDefaultDevice(next: Device): void {
  checkDevice(next, 'device');
  current = next;
}

/** @throws ArgumentError unless `value` is a device, DeviceError when it was closed. */
export function checkDevice(value: unknown, name: string): Device {
  if (!(value instanceof Device)) throw expected('a device', name, value);
  value.checkOpen();
  return value;
}
