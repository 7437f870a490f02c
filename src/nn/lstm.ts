import { checkOptions } from '../check.js';
import { RECURRENT_OPTIONS, type RecurrentOptions, RecurrentStack } from './recurrent.js';

/** Options of {@link DeepLSTM}. */
export interface DeepLSTMOptions extends RecurrentOptions {
  /** Width P of a projection of the hidden state, smaller than hiddenSize (Sak et al., arXiv:1402.1128); 0: none. */
  projSize?: number;
  /** Clamps the cell state to [-cellClip, cellClip] in every step; 0: not clamped. */
  cellClip?: number;
}

/**
 * A stack of long short-term memories (Hochreiter and Schmidhuber, 1997; D2L 10.1), the same as `torch.nn.LSTM`; gates lie in
 * the order i, f, g, o:
 *
 *     i = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)        f, o likewise
 *     g = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
 *     c_t = f ∘ c_{t-1} + i ∘ g                            clamped when cellClip is given
 *     h_t = o ∘ tanh(c_t)                                  times W_hr when projSize is given
 *
 * @example
 * const rnn = new DeepLSTM({ layers: 2 });
 * const { output, state } = rnn.forward(randn([35, 32, 28])); // [35, 32, 256], h and c [2, 32, 256]
 */
export class DeepLSTM extends RecurrentStack {
  /** @throws ArgumentError for wrong options. */
  constructor(options: DeepLSTMOptions = {}) {
    checkOptions(options, 'options', [...RECURRENT_OPTIONS, 'projSize', 'cellClip']);
    super(options, { cell: 'lstm', projSize: options.projSize, clip: options.cellClip });
  }
}
