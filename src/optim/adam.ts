import { checkNumber, checkOptions } from '../check.js';
import { OPTIMIZER } from '../native/binding.js';
import { OPTIMIZER_OPTIONS, Optimizer, type OptimizerOptions } from './optimizer.js';

export interface AdamOptions extends OptimizerOptions {
  /** Decay of the mean of gradients. */
  beta1?: number;
  /** Decay of the mean of squared gradients. */
  beta2?: number;
  /** Added to the root of the latter. */
  epsilon?: number;
}

function rule(options: AdamOptions, decoupled: boolean) {
  checkOptions(options, 'options', [...OPTIMIZER_OPTIONS, 'beta1', 'beta2', 'epsilon']);
  return {
    kind: OPTIMIZER.adam,
    beta1: checkNumber(options.beta1 ?? 0.9, 'beta1', { min: 0, below: 1 }),
    beta2: checkNumber(options.beta2 ?? 0.999, 'beta2', { min: 0, below: 1 }),
    epsilon: checkNumber(options.epsilon ?? 1e-8, 'epsilon', { min: 1e-30 }),
    flag: decoupled,
    slots: ['exp_avg', 'exp_avg_sq', null],
  };
}

/**
 * Adam (Kingma and Ba, arXiv:1412.6980): m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g²,
 * p ← p - learningRate · m̂ / (√v̂ + epsilon) with m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ); the same as `torch.optim.Adam`.
 *
 * @example
 * const optimizer = new Adam({ learningRate: 0.001 }).attach(model);
 */
export class Adam extends Optimizer {
  /** @throws ArgumentError for wrong options. */
  constructor(options: AdamOptions = {}) {
    super({ learningRate: 1e-3, ...options }, rule(options, false));
  }
}

/**
 * {@link Adam} with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101): p ← (1 - learningRate · weightDecay) p
 * before each update; the same as `torch.optim.AdamW`, with its default weightDecay 0.01.
 *
 * @example
 * const groups = [{ parameters: /bias/, weightDecay: 0 }];
 * const optimizer = new AdamW({ weightDecay: 0.1, groups }).attach(model);
 */
export class AdamW extends Optimizer {
  /** @throws ArgumentError for wrong options. */
  constructor(options: AdamOptions = {}) {
    super({ learningRate: 1e-3, weightDecay: 0.01, ...options }, rule(options, true));
  }
}
