import { checkBoolean, checkNumber, checkOptions } from '../check.js';
import { OPTIMIZER } from '../native/binding.js';
import { OPTIMIZER_OPTIONS, Optimizer, type OptimizerOptions } from './optimizer.js';

/** Options of {@link RMSprop}. */
export interface RMSpropOptions extends OptimizerOptions {
  /** Decay of the mean of squared gradients. */
  alpha?: number;
  /** Added to the root of that mean. */
  epsilon?: number;
  /** Share of the last update that is added; default 0. */
  momentum?: number;
  /** Subtracts the squared mean gradient from the mean of squares. */
  centered?: boolean;
}

/**
 * RMSprop: v ← αv + (1-α)g², p ← p - learningRate · g / (√v + epsilon) (Tieleman and Hinton, 2012; centered: Graves,
 * arXiv:1308.0850); the same as `torch.optim.RMSprop`.
 *
 * @example
 * const optimizer = new RMSprop({ learningRate: 0.01, centered: true }).attach(model);
 */
export class RMSprop extends Optimizer {
  /** @throws ArgumentError for wrong options. */
  constructor(options: RMSpropOptions = {}) {
    checkOptions(options, 'options', [...OPTIMIZER_OPTIONS, 'alpha', 'epsilon', 'momentum', 'centered']);
    const momentum = checkNumber(options.momentum ?? 0, 'momentum', { min: 0 });
    const centered = checkBoolean(options.centered ?? false, 'centered');
    super(
      { learningRate: 0.01, ...options },
      {
        kind: OPTIMIZER.rmsprop,
        beta1: checkNumber(options.alpha ?? 0.99, 'alpha', { min: 0, max: 1 }),
        beta2: momentum,
        epsilon: checkNumber(options.epsilon ?? 1e-8, 'epsilon', { min: 1e-30 }),
        flag: centered,
        slots: ['square_avg', momentum > 0 ? 'momentum_buffer' : null, centered ? 'grad_avg' : null],
      },
    );
  }
}
