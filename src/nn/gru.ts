import { checkOptions } from '../check.js';
import { RECURRENT_OPTIONS, type RecurrentOptions, RecurrentStack } from './recurrent.js';

/**
 * A stack of gated recurrent units (Cho et al., arXiv:1406.1078; D2L 10.2), the same as `torch.nn.GRU`; gates lie in the order
 * r, z, n and the reset applies after the matrix product, as in cuDNN:
 *
 *     r = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
 *     z = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
 *     n = tanh(W_in x_t + b_in + r ∘ (W_hn h_{t-1} + b_hn))
 *     h_t = (1 - z) ∘ n + z ∘ h_{t-1}
 *
 * @example
 * const rnn = new DeepGRU({ layers: 3, hiddenSize: 128, bidirectional: true });
 * const { output, state } = rnn.forward(randn([35, 32, 28])); // [35, 32, 256], h [6, 32, 128]
 */
export class DeepGRU extends RecurrentStack {
  /** @throws ArgumentError for wrong options. */
  constructor(options: RecurrentOptions = {}) {
    checkOptions(options, 'options', RECURRENT_OPTIONS);
    super(options, { cell: 'gru' });
  }
}
