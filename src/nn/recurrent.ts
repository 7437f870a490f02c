/** Neural-network layers. This file: what the recurrent stacks share, all but the equations of their cells. */
import { checkBoolean, checkInteger, checkOptions } from '../check.js';
import type { Device, StackPass } from '../device.js';
import { type FloatDType, isFloat } from '../dtype.js';
import { expected, ShapeError } from '../errors.js';
import { RNN_PARAM } from '../native/binding.js';
import { transpose, zeros } from '../ops/index.js';
import { fill } from '../ops/primitives.js';
import {
  type RnnAlgorithm,
  type RnnCell,
  type RnnConfig,
  type RnnHandle,
  type RnnParamEntry,
  type RnnPrecision,
  registerRnn,
  rnn,
} from '../ops/rnn.js';
import { scope } from '../scope.js';
import { Tensor } from '../tensor.js';
import { uniform } from './init.js';
import { Module, type ModuleOptions, placement, type ShapeLookup } from './module.js';
import { type Parameter, ParameterStore } from './parameters.js';
import type { RecurrentState } from './state.js';

/** Options of {@link DeepRNN}, {@link DeepGRU} and {@link DeepLSTM}. */
export interface RecurrentOptions extends ModuleOptions {
  /** Layers on top of each other, L. */
  layers?: number;
  /** Width of the hidden state, H. */
  hiddenSize?: number;
  /** Features of the input, I; taken from the first one when absent. Token input needs it: the number of distinct ids. */
  inputSize?: number;
  /** A second direction that runs from the end, D = 2; its outputs are joined to those of the first. */
  bidirectional?: boolean;
  /** Two biases per gate, as in PyTorch and cuDNN; `'single'` keeps only the input's, false none. */
  bias?: boolean | 'single';
  /** Probability of zeroing what one layer passes to the next, while training. */
  dropout?: number;
  /** `'skip'` adds the input to every gate of the first layer instead of multiplying it with a matrix; I = H then. */
  inputMode?: 'linear' | 'skip';
  /** Inputs and outputs are [B,T,...] instead of [T,B,...]. States stay [L*D,B,...]. */
  batchFirst?: boolean;
  /**
   * What products are computed with, for speed; weights, and what goes in and comes out, stay float32. Default: the dtype,
   * nothing is rounded. Only for float32.
   *
   * `'bfloat16'` rounds the operands of products to bfloat16, to nearest even. The CPU keeps states and gradients in float32;
   * on a GPU they are bfloat16 inside the stack too. `'float16'` (GPUs only) is finer and ends at 65,504 and 6e-8: multiply
   * the loss by a power of two where gradients would vanish. `'tf32'` (GPUs only) rounds the operands to 10 bits of mantissa.
   */
  precision?: RnnPrecision;
  /**
   * Which of cuDNN's algorithms runs the stack on a GPU. Default `'auto'`: those that take the stack are measured on the first
   * pass of each shape, the fastest is kept, and remembered in the user's cache folder. Any other value pins one, and a pass
   * that it cannot run fails; `'standard'` runs all. Ignored on a CPU. {@link Device.explain} tells what ran.
   */
  algorithm?: RnnAlgorithm;
}

export const RECURRENT_OPTIONS = [
  'layers',
  'hiddenSize',
  'inputSize',
  'bidirectional',
  'bias',
  'dropout',
  'inputMode',
  'batchFirst',
  'precision',
  'algorithm',
  'device',
  'dtype',
] as const;

/** What comes with the input of a stack. */
export interface RecurrentInput {
  /** State before the first step; zeros when absent. */
  state?: RecurrentState;
  /** Steps of each sample, B integers from 0 to T in any order; all T when absent. Outputs past a length are zero. */
  lengths?: readonly number[] | Int32Array;
}

/** What a stack returns. */
export interface RecurrentOutput {
  /** [T,B,D*O], or [B,T,D*O] when batchFirst. */
  output: Tensor;
  /** State after the last step of each sample. */
  state: RecurrentState;
}

/** @internal What the cells differ in. */
export type CellTraits = Pick<RnnConfig, 'cell' | 'projSize' | 'clip'>;

/**
 * Base class of the recurrent stacks: L layers, D directions, the whole of it one native operation.
 *
 * Parameters have PyTorch's names (`weight_ih_l0`, `bias_hh_l1_reverse`, ...), shapes and gate order and start from U(±1/√H);
 * they are views of `parametersBlock`.
 */
export abstract class RecurrentStack extends Module {
  /** Whether inputs and outputs are [B,T,...]. */
  readonly batchFirst: boolean;
  /** Where the parameters lie. */
  readonly device: Device;
  /** All weights of the stack as one flat parameter, in the device's layout; undefined until the input size is known. */
  parametersBlock?: Parameter;
  /** @internal The registered native operation; undefined until the input size is known. */
  handle?: RnnHandle;
  private readonly config: Readonly<Required<Omit<RnnConfig, 'inputSize'>>>;
  private named: [string, Parameter][] = [];

  /** @internal */
  protected constructor(options: RecurrentOptions, traits: CellTraits) {
    super();
    const { layers, hiddenSize = 256, bidirectional, dropout, inputMode } = options;
    const bias = options.bias ?? true;
    if (bias !== 'single' && typeof bias !== 'boolean') throw expected("true, false or 'single'", 'bias', bias);
    const { device, dtype } = placement(options);
    this.device = device;
    this.batchFirst = checkBoolean(options.batchFirst ?? false, 'batchFirst');
    const inputSize = options.inputSize ?? (inputMode === 'skip' ? hiddenSize : undefined);
    const config: RnnConfig = {
      ...traits,
      inputSize: inputSize ?? 1,
      hiddenSize,
      layers,
      bidirectional,
      inputMode,
      bias: bias === 'single' ? 'single' : bias ? 'double' : 'none',
      dropout,
      dtype,
      precision: options.precision,
      algorithm: options.algorithm,
    };
    // Without an input size yet, this only asks the device whether it knows the rest.
    this.config = registerRnn(config, device).config;
    if (inputSize !== undefined) this.build(inputSize);
  }

  /** The kind of cell: `rnnTanh`, `rnnRelu`, `gru` or `lstm`. */
  get cell(): RnnCell {
    return this.config.cell;
  }

  /** Layers on top of each other, L. */
  get layers(): number {
    return this.config.layers;
  }

  /** Width of the hidden state, H. */
  get hiddenSize(): number {
    return this.config.hiddenSize;
  }

  /** Features of the input, I; undefined until known. */
  get inputSize(): number | undefined {
    return this.handle?.config.inputSize;
  }

  /** Whether a second direction runs from the end. */
  get bidirectional(): boolean {
    return this.config.bidirectional;
  }

  /** Directions, D. */
  get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** Two biases per gate, one (`'single'`) or none. */
  get bias(): boolean | 'single' {
    return this.config.bias === 'single' ? 'single' : this.config.bias === 'double';
  }

  /** Probability of zeroing what one layer passes to the next, while training. */
  get dropout(): number {
    return this.config.dropout;
  }

  /** Whether the first layer multiplies its input with a matrix or adds it to every gate. */
  get inputMode(): 'linear' | 'skip' {
    return this.config.inputMode;
  }

  /** Width of the projected hidden state, P; 0: not projected. */
  get projSize(): number {
    return this.config.projSize;
  }

  /** Limit of the magnitude of the cell state; 0: not clamped. */
  get cellClip(): number {
    return this.config.clip;
  }

  /** Width of h in one direction, O: projSize or hiddenSize. */
  get outputSize(): number {
    return this.projSize || this.hiddenSize;
  }

  /** Type of the parameters. */
  get dtype(): FloatDType {
    return this.config.dtype;
  }

  /** What the operands of products are rounded to; the dtype: not at all. */
  get precision(): RnnPrecision {
    return this.config.precision;
  }

  /** Which of cuDNN's algorithms is pinned, or `'auto'`. */
  get algorithm(): RnnAlgorithm {
    return this.config.algorithm;
  }

  override get isBuilt(): boolean {
    return this.handle !== undefined;
  }

  /**
   * Runs all steps of all layers.
   *
   * @param x float [T,B,I], or int32 token ids [T,B] that stand for one-hot rows; [B,T,...] when batchFirst.
   * @returns `output` [T,B,D*O] and the final `state`: h [L*D,B,O] and, for an LSTM, c [L*D,B,H].
   * @throws ShapeError or ArgumentError when x, the state or the lengths do not fit.
   */
  forward(x: Tensor, options: RecurrentInput = {}): RecurrentOutput {
    checkOptions(options, 'options', ['state', 'lengths']);
    this.checkInput(x);
    if (options.state !== undefined) this.checkState(options.state);
    this.parametersBlock!.requiresGrad = this.named.some(([, parameter]) => parameter.requiresGrad);
    const { output, h, c } = rnn(this.handle!, {
      x: this.batchFirst ? transpose(x, x.rank === 3 ? [1, 0, 2] : [1, 0]) : x,
      params: this.parametersBlock!,
      h0: options.state?.h,
      c0: options.state?.c,
      lengths: options.lengths,
      training: this.training,
    });
    return {
      output: this.batchFirst ? transpose(output, [1, 0, 2]) : output,
      state: c ? { h, c } : { h },
    };
  }

  /**
   * The state that `forward` starts from when none is given.
   *
   * @example
   * const rnn = new DeepLSTM({ layers: 2 });
   * const { output } = rnn.forward(randn([35, 32, 28]), { state: rnn.zeroState(32) });
   */
  zeroState(batch: number): RecurrentState {
    checkInteger(batch, 'batch', { min: 1 });
    const { dtype, device } = this;
    const rows = this.layers * this.directions;
    const h = zeros([rows, batch, this.outputSize], { dtype, device });
    return this.cell === 'lstm' ? { h, c: zeros([rows, batch, this.hiddenSize], { dtype, device }) } : { h };
  }

  /** @internal What {@link Device.explain} asks the device about. */
  passOf(x: Tensor, options: RecurrentInput = {}): StackPass {
    checkOptions(options, 'options', ['state', 'lengths']);
    this.checkInput(x);
    const [steps, batch] = this.batchFirst ? [x.shape[1], x.shape[0]] : x.shape;
    const uneven = Array.from(options.lengths ?? []).some((length) => length !== steps);
    return { device: this.device, id: this.handle!.id, steps, batch, uneven };
  }

  protected override ownParameters(): [string, Parameter][] {
    return this.named;
  }

  protected override buildFrom(shapes: ShapeLookup): void {
    const shape = shapes('weight_ih_l0');
    if (shape?.length === 2) this.build(shape[1]);
  }

  protected override resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const [, parameter] of this.named) uniform(-bound, bound).fill(parameter);
  }

  protected override drawParameters(): void {
    super.drawParameters();
    const forgetBias = this.initialization?.forgetBias;
    if (forgetBias !== undefined && this.cell === 'lstm') setForgetBias(this.named, this.hiddenSize, forgetBias);
  }

  /** @internal Creates the parameters, for I input features. */
  build(inputSize: number): void {
    const handle = registerRnn({ ...this.config, inputSize }, this.device);
    const store = new ParameterStore(handle.count, this.dtype, this.device);
    const byOffset = [...handle.entries].sort((a, b) => a.offset - b.offset);
    const made = new Map(
      byOffset.map((entry) => [entry, store.addParameter(entry.offset, shapeOf(entry), nameOf(entry))]),
    );
    this.named = [...handle.entries].sort(inPyTorchOrder).map((entry) => [nameOf(entry), made.get(entry)!]);
    this.parametersBlock = store.addBlock(0, handle.count, 'parametersBlock');
    this.handle = handle;
    this.drawParameters();
  }

  private checkInput(x: Tensor): void {
    if (!(x instanceof Tensor)) throw expected('a tensor', 'x', x);
    const edge = this.batchFirst ? 'B,T' : 'T,B';
    const isTokens = !isFloat(x.dtype);
    if (x.rank !== (isTokens ? 2 : 3) || (!isTokens && this.isBuilt && x.shape[2] !== this.inputSize)) {
      const wanted = `float [${edge},${this.inputSize ?? 'I'}] or int32 token ids [${edge}]`;
      throw expected(wanted, 'x', `${x.dtype} [${x.shape}]`, ShapeError);
    }
    if (this.isBuilt) return;
    if (isTokens) throw expected('a number (the count of distinct ids) with token input', 'inputSize', undefined);
    if (x.dtype !== this.dtype) throw expected(this.dtype, 'the dtype of x', x.dtype);
    this.build(x.shape[2]);
  }

  private checkState(state: RecurrentState): void {
    const names = this.cell === 'lstm' ? ['h', 'c'] : ['h'];
    checkOptions(state, 'state', names);
    for (const name of names) {
      const value = state[name as 'h' | 'c'];
      if (!(value instanceof Tensor)) throw expected('a tensor', `state.${name}`, value);
    }
  }
}

/** @internal Sets what the two biases of every forget gate add up to: all in the input's, nothing in the state's. */
export function setForgetBias(named: readonly [string, Parameter][], hiddenSize: number, value: number): void {
  const biases = named.filter(([name]) => name.startsWith('bias_'));
  if (biases.length === 0) throw expected('nothing, as this LSTM has no biases,', 'forgetBias', value);
  scope(() => {
    for (const [name, parameter] of biases)
      fill(Tensor.view(parameter, hiddenSize, [hiddenSize]), name.startsWith('bias_ih') ? value : 0);
  });
}

function nameOf({ parameter, layer, direction }: RnnParamEntry): string {
  return `${parameter}_l${layer}${direction === 1 ? '_reverse' : ''}`;
}

function shapeOf({ parameter, rows, columns }: RnnParamEntry): number[] {
  return parameter.startsWith('bias') ? [rows] : [rows, columns];
}

function inPyTorchOrder(a: RnnParamEntry, b: RnnParamEntry): number {
  const kind = (entry: RnnParamEntry) => RNN_PARAM.indexOf(entry.parameter);
  return a.layer - b.layer || a.direction - b.direction || kind(a) - kind(b);
}
