import { checkChoice, checkOptions } from '../check.js';
import { RECURRENT_OPTIONS, type RecurrentOptions, RecurrentStack } from './recurrent.js';

/** Options of {@link DeepRNN}. */
export interface DeepRNNOptions extends RecurrentOptions {
  /** What is applied to the sum; default `'tanh'`. */
  nonlinearity?: 'tanh' | 'relu';
}

/**
 * A stack of simple recurrent layers (Elman, 1990; D2L 9.4), the same as `torch.nn.RNN`:
 *
 *     h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)      or relu(...)
 *
 * @example
 * const rnn = new DeepRNN({ layers: 2, hiddenSize: 64, nonlinearity: 'relu' });
 * const { output, state } = rnn.forward(randn([35, 32, 28])); // [35, 32, 64], h [2, 32, 64]
 */
export class DeepRNN extends RecurrentStack {
  /** @throws ArgumentError for wrong options. */
  constructor(options: DeepRNNOptions = {}) {
    checkOptions(options, 'options', [...RECURRENT_OPTIONS, 'nonlinearity']);
    const nonlinearity = checkChoice(options.nonlinearity ?? 'tanh', 'nonlinearity', ['tanh', 'relu']);
    super(options, { cell: nonlinearity === 'relu' ? 'rnnRelu' : 'rnnTanh' });
  }
}
