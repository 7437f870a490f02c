/** Dropout. */
import { checkBoolean, checkInteger, checkOptions } from '../check.js';
import { RANDOM } from '../native/binding.js';
import { nextSeed } from '../random.js';
import { record } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { fillRandom } from './create.js';
import { checkFloatTensor, checkProbability } from './operands.js';
import { binary, emptyLike } from './primitives.js';
import { reshape } from './shape.js';

/** Options of {@link dropout}. */
export interface DropoutOptions {
  /** false: the values pass unchanged. */
  training?: boolean;
  /** Left out, a fresh one is taken from the stream that `manualSeed` starts. */
  seed?: number;
}

/**
 * Zeros each element with probability `p` and divides the others by 1 - p.
 *
 * Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
 *
 * @throws ArgumentError unless p lies in 0..1.
 * @example
 * dropout(ones([8]), 0.5, { seed: 1 }); // twos and zeros
 */
export function dropout(x: Tensor, p: number, options: DropoutOptions = {}): Tensor {
  checkFloatTensor(x, 'x');
  checkProbability(p, 'p');
  checkOptions(options, 'options', ['training', 'seed']);
  const training = checkBoolean(options.training ?? true, 'training');
  if (options.seed !== undefined) checkInteger(options.seed, 'seed', { min: 0 });
  if (!training || p === 0) return reshape(x, x.shape);
  const keep = 1 - p;
  const mask = fillRandom(emptyLike(x), RANDOM.bernoulli, options.seed ?? nextSeed(), keep, p === 1 ? 0 : 1 / keep);
  const y = binary('multiply', x, mask);
  record('dropout', [x], [y], ([g]) => binary('multiply', g!, mask), [mask]);
  return y;
}
