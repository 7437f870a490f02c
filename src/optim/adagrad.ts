import { checkNumber, checkOptions } from '../check.js';
import { OPTIMIZER } from '../native/binding.js';
import { OPTIMIZER_OPTIONS, Optimizer, type OptimizerOptions } from './optimizer.js';

export interface AdagradOptions extends OptimizerOptions {
  /** The rate of step t is learningRate / (1 + (t - 1) · learningRateDecay). */
  learningRateDecay?: number;
  /** Added to the root of the sum of squares. */
  epsilon?: number;
  /** What the sum of squares starts from. */
  initialAccumulator?: number;
}

/**
 * Adagrad: s ← s + g², p ← p - learningRate · g / (√s + epsilon) (Duchi et al., JMLR 2011); the same as
 * `torch.optim.Adagrad`.
 *
 * @example
 * const optimizer = new Adagrad({ learningRate: 0.01 }).attach(model);
 */
export class Adagrad extends Optimizer {
  /** @throws ArgumentError for wrong options. */
  constructor(options: AdagradOptions = {}) {
    checkOptions(options, 'options', [...OPTIMIZER_OPTIONS, 'learningRateDecay', 'epsilon', 'initialAccumulator']);
    super(
      { learningRate: 0.01, ...options },
      {
        kind: OPTIMIZER.adagrad,
        beta1: checkNumber(options.learningRateDecay ?? 0, 'learningRateDecay', { min: 0 }),
        beta2: 0,
        epsilon: checkNumber(options.epsilon ?? 1e-10, 'epsilon', { min: 1e-30 }),
        flag: false,
        slots: ['sum', null, null],
        initialState: checkNumber(options.initialAccumulator ?? 0, 'initialAccumulator', { min: 0 }),
      },
    );
  }
}
