import { expected } from '../errors.js';
import { Tensor } from '../tensor.js';

/** What a recurrent layer remembers: passed to and received from `forward`, never hidden in the layer. */
export interface RecurrentState {
  /** Hidden state: [L*D,B,O] of a stack, [B,O] of a single-step cell. */
  h: Tensor;
  /** Cell state of an LSTM: [L*D,B,H], or [B,H]. */
  c?: Tensor;
}

/**
 * The same state cut off from the graph, for back-propagation truncated to one minibatch (D2L 9.7).
 *
 * @example
 * const rnn = new DeepGRU();
 * let { state } = rnn.forward(randn([35, 32, 28]));
 * state = detachState(state);
 */
export function detachState(state: RecurrentState): RecurrentState {
  if (!(state?.h instanceof Tensor)) throw expected('a state { h, c }', 'state', state);
  return { h: state.h.detach(), ...(state.c && { c: state.c.detach() }) };
}
