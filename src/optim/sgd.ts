import { checkBoolean, checkNumber, checkOptions } from '../check.js';
import { ArgumentError } from '../errors.js';
import { OPTIMIZER } from '../native/binding.js';
import { OPTIMIZER_OPTIONS, Optimizer, type OptimizerOptions } from './optimizer.js';

/** Options of {@link SGD}. */
export interface SGDOptions extends OptimizerOptions {
  /** Factor of the update. */
  learningRate: number;
  /** Share of the last update that is kept; default 0. */
  momentum?: number;
  /** Of the momentum. */
  dampening?: number;
  /** Look ahead along the momentum (Nesterov); default false. */
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent, p ← p - learningRate · g, with momentum v ← momentum · v + (1 - dampening) · g in place of g; the
 * same as `torch.optim.SGD`.
 *
 * @example
 * const optimizer = new SGD({ learningRate: 0.1, momentum: 0.9 }).attach(model);
 */
export class SGD extends Optimizer {
  /** @throws ArgumentError for wrong options. */
  constructor(options: SGDOptions) {
    checkOptions(options, 'options', [...OPTIMIZER_OPTIONS, 'momentum', 'dampening', 'nesterov']);
    const momentum = checkNumber(options.momentum ?? 0, 'momentum', { min: 0 });
    const dampening = checkNumber(options.dampening ?? 0, 'dampening');
    const nesterov = checkBoolean(options.nesterov ?? false, 'nesterov');
    if (nesterov && (momentum === 0 || dampening !== 0))
      throw new ArgumentError('Expected momentum above 0 and no dampening for nesterov');
    super(options, {
      kind: OPTIMIZER.sgd,
      beta1: momentum,
      beta2: dampening,
      epsilon: 0,
      flag: nesterov,
      slots: [momentum > 0 ? 'momentum_buffer' : null, null, null],
    });
  }
}
