/**
 * THE contract with the addon: flat functions over numbers and typed arrays.
 *
 * A buffer handle is an integer that carries a slot and a generation; 0 is the null handle. Offsets, counts, shapes and
 * strides are in elements of the named dtype unless the name says bytes. Every call but those marked *immediate* pushes
 * one command on the FIFO of the device that owns the buffers and returns at once. The addon checks every handle, range
 * and code before it pushes and throws on the calling thread; TypeScript has worded most mistakes before that.
 *
 * A {@link Layout} is `[rank, shape…, strides of operand 0…, strides of operand 1…, …]` as a Float64Array.
 */
export type Handle = number;
export type DeviceId = number;
export type RnnId = number;
export type Layout = Float64Array;
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** dtype codes, in the order of `DType` in native/core/desc.h. */
export const DTYPE_CODE = { float32: 0, float64: 1, int32: 2 } as const;

/** `UnaryOp` of native/core/desc.h: y = op(x), or op(x, scalar). */
export const UNARY = {
  negative: 0,
  absolute: 1,
  exp: 2,
  log: 3,
  sqrt: 4,
  reciprocal: 5,
  square: 6,
  sign: 7,
  sigmoid: 8,
  tanh: 9,
  relu: 10,
  addScalar: 11,
  multiplyScalar: 12,
  powerScalar: 13,
  minimumScalar: 14,
  maximumScalar: 15,
} as const;

/** `BinaryOp` of native/core/desc.h: out = op(a, b); comparisons write int32; gradients take (dy, y) or (dy, x). */
export const BINARY = {
  add: 0,
  subtract: 1,
  multiply: 2,
  divide: 3,
  power: 4,
  minimum: 5,
  maximum: 6,
  equal: 7,
  notEqual: 8,
  less: 9,
  lessEqual: 10,
  greater: 11,
  greaterEqual: 12,
  sigmoidGrad: 13,
  tanhGrad: 14,
  reluGrad: 15,
  absoluteGrad: 16,
} as const;

export const REDUCE = { sum: 0, maximum: 1, argmax: 2 } as const;
export const RANDOM = { uniform: 0, normal: 1, bernoulli: 2 } as const;
export const OPTIMIZER = { sgd: 0, adam: 1, rmsprop: 2, adagrad: 3 } as const;
export const CELL = { rnnTanh: 0, rnnRelu: 1, lstm: 2, gru: 3 } as const;
export const INPUT_MODE = { linear: 0, skip: 1 } as const;
export const BIAS_MODE = { none: 0, single: 1, double: 2 } as const;
export const PRECISION = { same: 0, bfloat16: 1, tf32: 2, float16: 3 } as const;
/** `CudaPresence` of native/core/backend.h. */
export const CUDA_PRESENCE = { notBuilt: 0, noDriver: 1, driver: 2 } as const;
export const ALGORITHM = {
  auto: 0,
  standard: 1,
  persistStatic: 2,
  persistDynamic: 3,
  persistStaticSmallH: 4,
} as const;
/** `RnnParam` of native/core/desc.h, in order. */
export const RNN_PARAM = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh', 'weight_hr'] as const;

export interface Binding {
  /**
   * *Immediate.* Opens a device (0: CPU, 1: CUDA) with its own thread; `threads` 0 means all, `memoryLimit` bytes 0 means
   * none. Throws with the reason where there is no such device.
   */
  openDevice(kind: number, threads: number, memoryLimit: number): DeviceId;
  /** *Immediate.* A {@link CUDA_PRESENCE}: how far this build and this machine are from a CUDA device. Opens the driver alone. */
  cudaPresence(): number;
  /** *Immediate.* SHA-256, in hexadecimal digits, of the sources that the binary was built from. */
  sourceHash(): string;
  /** *Immediate.* What the CUDA backend finds on this machine, in lines `name: what`. Opens NVIDIA's libraries. */
  cudaReport(): string;
  /** *Immediate.* Lines of each CUDA kernel: name, 1 or 0 for whether this process has launched it, tab between. */
  cudaKernels(): string;
  /**
   * *Immediate.* Lines of what the CUDA backend takes for granted of NVIDIA's libraries: name, 1 or 0 for whether it relies
   * on it, the claim; tabs between.
   */
  cudaProbes(): string;
  /**
   * *Immediate*, and blocks until it has been found out: CONFIRMED, REFUTED or LEFT OUT, a tab, the evidence. `probe` is an
   * index into the lines of cudaProbes. What makes a library give up ends the process.
   */
  cudaProbe(probe: number, quick: boolean): string;
  /**
   * *Immediate*, and blocks until it has been measured: cuDNN's calls for one training pass in a bare loop, `numbers` as in
   * registerRnn, `algorithm` a cudnnRNNAlgo_t. [seconds of forward, backward data, backward weights, of all three, of a step on
   * the host's clock, bytes of workspace, of reserve]; times are medians of `rounds`.
   */
  cudaBareLoop(numbers: Float64Array, algorithm: number, steps: number, batch: number, rounds: number): Float64Array;
  /** *Immediate.* Discards queued work, rejects pending reads, frees all buffers, joins the thread. Idempotent. */
  closeDevice(device: DeviceId): void;
  /** *Immediate.* One line for people: instruction set and threads, or the GPU. */
  describeDevice(device: DeviceId): string;
  /**
   * *Immediate.* [bytes in live buffers, live buffers, peak bytes, bytes held by the allocator, threads, commands run, bytes
   * of scratch memory, blocks ever taken from the system].
   */
  deviceStatistics(device: DeviceId): Float64Array;
  /** *Immediate.* [graphs held, steps captured, steps replayed, steps launched one by one, captures refused]. */
  graphStatistics(device: DeviceId): Float64Array;
  /**
   * Marks what is pushed until {@link endStep} as one step that is likely to be repeated: a backend may put it off until then
   * and send it as one. A step within a step is part of it.
   */
  beginStep(device: DeviceId): void;
  endStep(device: DeviceId): void;
  /** *Immediate.* Forgets the sticky error, so that the device can be used again; buffers keep whatever they hold. */
  clearError(device: DeviceId): void;
  /** Resolves when everything pushed before has run; rejects with the sticky error. */
  synchronize(device: DeviceId): Promise<void>;
  /**
   * Fills `target` with [float32 operations a second, seconds of a barrier, operations a second with bfloat16 operands, with
   * TF32 ones, bytes a second read and written by a copy], measured with all threads for some 40 ms.
   */
  measurePeak(device: DeviceId, target: Float64Array): Promise<void>;

  /** A new buffer with undefined contents. Throws beyond the device's memory limit. */
  alloc(device: DeviceId, bytes: number): Handle;
  /** The handle is dead at once; the memory is given back when the commands pushed before have run. */
  free(buffer: Handle): void;
  /** Copies `source` before returning. */
  write(buffer: Handle, byteOffset: number, source: TypedArray): void;
  /** Fills `target` on the stream and resolves; `target` must not be touched, detached or transferred until then. */
  read(buffer: Handle, byteOffset: number, target: TypedArray): Promise<void>;

  fill(dtype: number, buffer: Handle, offset: number, count: number, value: number): void;
  /** Strided copy; layout operands: source, destination. Adds when accumulating. */
  copy(
    dtype: number,
    layout: Layout,
    accumulate: boolean,
    source: Handle,
    sourceOffset: number,
    destination: Handle,
    destinationOffset: number,
  ): void;
  cast(from: number, to: number, count: number, x: Handle, xOffset: number, y: Handle, yOffset: number): void;
  /** y may be x. */
  unary(
    op: number,
    dtype: number,
    count: number,
    scalar: number,
    x: Handle,
    xOffset: number,
    y: Handle,
    yOffset: number,
  ): void;
  /** Layout operands: a, b; out is contiguous over the layout's shape. */
  binary(
    op: number,
    dtype: number,
    layout: Layout,
    a: Handle,
    aOffset: number,
    b: Handle,
    bOffset: number,
    out: Handle,
    outOffset: number,
  ): void;
  /** Layout operands: int32 condition, a, b; out is contiguous. */
  select(
    dtype: number,
    layout: Layout,
    condition: Handle,
    conditionOffset: number,
    a: Handle,
    aOffset: number,
    b: Handle,
    bOffset: number,
    out: Handle,
    outOffset: number,
  ): void;
  /** Two layouts over x (one operand each): the axes kept and the axes reduced; out is contiguous over the kept. */
  reduce(
    op: number,
    dtype: number,
    kept: Layout,
    reduced: Layout,
    x: Handle,
    xOffset: number,
    out: Handle,
    outOffset: number,
  ): void;
  /** `sizes`: [batch, m, n, k, lda, ldb, ldc, batch strides of a, b, c]. c[m,n] = a[m,k] b[k,n] (+ c). */
  matmul(
    dtype: number,
    sizes: Float64Array,
    transposeA: boolean,
    transposeB: boolean,
    accumulate: boolean,
    a: Handle,
    aOffset: number,
    b: Handle,
    bOffset: number,
    c: Handle,
    cOffset: number,
  ): void;
  /** `sizes`: [outer, axis, count, inner, three index strides]. dst[o,j,i] = src[o, index[o,j,i], i]. */
  gather(
    dtype: number,
    sizes: Float64Array,
    source: Handle,
    sourceOffset: number,
    index: Handle,
    indexOffset: number,
    destination: Handle,
    destinationOffset: number,
  ): void;
  /** Same sizes as gather: destination[o, index[o,j,i], i] += source[o,j,i]; repeats bit for bit. */
  scatterAdd(
    dtype: number,
    sizes: Float64Array,
    source: Handle,
    sourceOffset: number,
    index: Handle,
    indexOffset: number,
    destination: Handle,
    destinationOffset: number,
  ): void;
  /** seed, counter: integers 0..2^53-1. */
  random(
    kind: number,
    dtype: number,
    count: number,
    seed: number,
    counter: number,
    a: number,
    b: number,
    out: Handle,
    outOffset: number,
  ): void;

  softmax(
    dtype: number,
    rows: number,
    columns: number,
    log: boolean,
    x: Handle,
    xOffset: number,
    y: Handle,
    yOffset: number,
  ): void;
  softmaxBackward(
    dtype: number,
    rows: number,
    columns: number,
    log: boolean,
    y: Handle,
    yOffset: number,
    dy: Handle,
    dyOffset: number,
    dx: Handle,
    dxOffset: number,
  ): void;
  /** `buffers`: [logits, targets, classWeights or 0, losses, weights, probabilities] as handle, offset pairs (12 numbers). */
  crossEntropy(
    dtype: number,
    rows: number,
    columns: number,
    ignoreIndex: number,
    labelSmoothing: number,
    buffers: Float64Array,
  ): void;
  /** `buffers`: [probabilities, targets, classWeights or 0, dlosses, dlogits] as handle, offset pairs (10 numbers). */
  crossEntropyBackward(
    dtype: number,
    rows: number,
    columns: number,
    ignoreIndex: number,
    labelSmoothing: number,
    buffers: Float64Array,
  ): void;
  /** out[0] (+)= sum of x², summed in float64. */
  sumSquares(
    dtype: number,
    count: number,
    accumulate: boolean,
    x: Handle,
    xOffset: number,
    out: Handle,
    outOffset: number,
  ): void;
  /** norm[0] = √sumSquares[0]; gradients *= min(maxNorm / norm[0], 1). */
  clipNorm(
    dtype: number,
    count: number,
    maxNorm: number,
    sumSquares: Handle,
    sumSquaresOffset: number,
    gradients: Handle,
    gradientsOffset: number,
    norm: Handle,
    normOffset: number,
  ): void;
  /**
   * `numbers`: [learningRate, weightDecay, beta1, beta2, epsilon, step]; `flag` and the meaning of beta1 and beta2 as in
   * `OptimizerDesc`. `buffers`: [gradients, parameters, state1 or 0, state2 or 0, state3 or 0] as handle, offset pairs.
   */
  optimizerStep(
    kind: number,
    dtype: number,
    count: number,
    numbers: Float64Array,
    flag: boolean,
    buffers: Float64Array,
  ): void;

  /**
   * *Immediate.* `numbers`: [cell, inputSize, hiddenSize, projSize, layers, bidirectional, inputMode, bias, dropout, clip,
   * dtype, precision, algorithm]. Throws the backend's reason when it refuses. Equal descriptors give the same id.
   */
  registerRnn(device: DeviceId, numbers: Float64Array): RnnId;
  /** *Immediate.* [count, then per entry: param (index into RNN_PARAM), layer, direction, offset, rows, columns]. */
  rnnParamLayout(rnn: RnnId): Float64Array;
  /** *Immediate.* */
  rnnReserveBytes(rnn: RnnId, steps: number, batch: number): number;
  /**
   * `buffers`: [params, x, tokens, h0, c0, y, hn, cn, reserve] as handle, offset pairs (18 numbers), 0 handles as in
   * `RnnForwardArgs`; the reserve's offset is 0. `lengths` [B] or null; copied before returning.
   */
  rnnForward(
    rnn: RnnId,
    steps: number,
    batch: number,
    lengths: Int32Array | null,
    buffers: Float64Array,
    training: boolean,
    seed: number,
  ): void;
  /** `buffers`: [params, x, tokens, h0, c0, y, dy, dhn, dcn, dx, dh0, dc0, dparams, reserve] as handle, offset pairs (28). */
  rnnBackward(
    rnn: RnnId,
    steps: number,
    batch: number,
    lengths: Int32Array | null,
    buffers: Float64Array,
    training: boolean,
    seed: number,
  ): void;
  /**
   * Fills `target` with JSON, then zeros: an array of what passes of this shape have run, `RnnPassExplanation` of src/device.ts.
   * `uneven`: with lengths that differ from the number of steps.
   */
  explainRnn(rnn: RnnId, steps: number, batch: number, uneven: boolean, target: Uint8Array): Promise<void>;
  /**
   * `numbers`: [vocabulary, embeddingSize, length, temperature, topK, topP, seed, counter]. `prefix` is copied.
   * `buffers`: [params, embedding or 0, headWeight, headBias or 0, h, c or 0, tokens] as handle, offset pairs (14).
   */
  generate(rnn: RnnId, numbers: Float64Array, prefix: Int32Array, buffers: Float64Array): void;
}
