import { checkInteger, checkOptions } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import { reshape } from '../ops/index.js';
import { Tensor } from '../tensor.js';
import { DeepGRU } from './gru.js';
import { uniform } from './init.js';
import { DeepLSTM } from './lstm.js';
import { Module, type ModuleOptions } from './module.js';
import type { Parameter } from './parameters.js';
import { type RecurrentStack, setForgetBias } from './recurrent.js';
import { DeepRNN, type DeepRNNOptions } from './rnn.js';
import type { RecurrentState } from './state.js';

/** Options of the single-step cells. */
export interface CellOptions extends ModuleOptions {
  /** Two biases per gate; default true. */
  bias?: boolean;
}

const CELL_OPTIONS = ['bias', 'device', 'dtype'] as const;

/**
 * Base class of the single-step cells: one step of a stack of one layer, by the same native operation. Parameters are called
 * `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` and start from U(±1/√H), as in PyTorch.
 */
export abstract class RecurrentCell extends Module {
  /** @internal */
  protected constructor(private readonly stack: RecurrentStack) {
    super();
  }

  /** Features of the input, I. */
  get inputSize(): number {
    return this.stack.inputSize!;
  }

  /** Width of the hidden state, H. */
  get hiddenSize(): number {
    return this.stack.hiddenSize;
  }

  /**
   * One step.
   *
   * @param x float [B,I]
   * @param state h [B,H] and, for an LSTM, c [B,H]; zeros when absent.
   * @returns The next state.
   * @throws ShapeError or ArgumentError when x or the state do not fit.
   */
  forward(x: Tensor, state?: RecurrentState): RecurrentState {
    if (!(x instanceof Tensor)) throw expected('a tensor', 'x', x);
    if (x.rank !== 2) throw expected(`[B,${this.inputSize}]`, 'the shape of x', x.shape, ShapeError);
    const next = this.stack.forward(reshape(x, [1, ...x.shape]), {
      state:
        state &&
        mapState(state, (value, name) => {
          if (!(value instanceof Tensor)) throw expected('a tensor', `state.${name}`, value);
          if (value.rank !== 2) throw expected('[B,H]', `the shape of state.${name}`, value.shape, ShapeError);
          return reshape(value, [1, ...value.shape]);
        }),
    });
    return mapState(next.state, (value) => reshape(value, value.shape.slice(1)));
  }

  /** The state that `forward` starts from when none is given. */
  zeroState(batch: number): RecurrentState {
    return mapState(this.stack.zeroState(batch), (value) => reshape(value, value.shape.slice(1)));
  }

  override children(): [string, Module][] {
    return [];
  }

  protected override ownParameters(): [string, Parameter][] {
    return [...this.stack.namedParameters()].map(([name, parameter]) => [name.replace('_l0', ''), parameter]);
  }

  protected override resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const parameter of this.stack.parameters()) uniform(-bound, bound).fill(parameter);
  }

  protected override drawParameters(): void {
    super.drawParameters();
    const forgetBias = this.initialization?.forgetBias;
    if (forgetBias !== undefined && this.stack.cell === 'lstm')
      setForgetBias(this.ownParameters(), this.hiddenSize, forgetBias);
  }
}

/**
 * One step of a simple recurrent layer, h' = tanh(W_ih x + b_ih + W_hh h + b_hh) or relu(...), as `torch.nn.RNNCell`.
 *
 * @example
 * const { h } = new RNNCell(28, 64).forward(randn([32, 28])); // [32, 64]
 */
export class RNNCell extends RecurrentCell {
  /** @throws ArgumentError for wrong sizes or options. */
  constructor(inputSize: number, hiddenSize: number, options: CellOptions & Pick<DeepRNNOptions, 'nonlinearity'> = {}) {
    checkOptions(options, 'options', [...CELL_OPTIONS, 'nonlinearity']);
    super(new DeepRNN({ ...options, ...checkSizes(inputSize, hiddenSize) }));
  }
}

/**
 * One step of a gated recurrent unit, with the equations of {@link DeepGRU}, as `torch.nn.GRUCell`.
 *
 * @example
 * const { h } = new GRUCell(28, 64).forward(randn([32, 28])); // [32, 64]
 */
export class GRUCell extends RecurrentCell {
  /** @throws ArgumentError for wrong sizes or options. */
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    checkOptions(options, 'options', CELL_OPTIONS);
    super(new DeepGRU({ ...options, ...checkSizes(inputSize, hiddenSize) }));
  }
}

/**
 * One step of a long short-term memory, with the equations of {@link DeepLSTM}, as `torch.nn.LSTMCell`.
 *
 * @example
 * const { h, c } = new LSTMCell(28, 64).forward(randn([32, 28])); // [32, 64] each
 */
export class LSTMCell extends RecurrentCell {
  /** @throws ArgumentError for wrong sizes or options. */
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    checkOptions(options, 'options', CELL_OPTIONS);
    super(new DeepLSTM({ ...options, ...checkSizes(inputSize, hiddenSize) }));
  }
}

function checkSizes(inputSize: number, hiddenSize: number): { inputSize: number; hiddenSize: number } {
  checkInteger(inputSize, 'inputSize', { min: 1 });
  checkInteger(hiddenSize, 'hiddenSize', { min: 1 });
  return { inputSize, hiddenSize };
}

function mapState(state: RecurrentState, map: (value: Tensor, name: string) => Tensor): RecurrentState {
  return { h: map(state.h, 'h'), ...(state.c && { c: map(state.c, 'c') }) };
}
