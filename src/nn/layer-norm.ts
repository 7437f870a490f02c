import { checkInteger, checkNumber, checkOptions } from '../check.js';
import { layerNorm } from '../ops/index.js';
import type { Tensor } from '../tensor.js';
import { constant } from './init.js';
import { Module, type ModuleOptions, placement } from './module.js';
import { createParameters, type Parameter } from './parameters.js';

export interface LayerNormOptions extends ModuleOptions {
  /** Added to the variance. */
  epsilon?: number;
}

/**
 * Normalises the last axis, y = (x - mean) / √(variance + epsilon) · weight + bias (Ba et al., arXiv:1607.06450), with `weight`
 * and `bias` [size] starting from one and zero.
 *
 * @example
 * const y = new LayerNorm(256).forward(randn([35, 32, 256]));
 */
export class LayerNorm extends Module {
  /** Factors [size], ones at first. */
  readonly weight: Parameter;
  /** Summands [size], zeros at first. */
  readonly bias: Parameter;
  /** Added to the variance. */
  readonly epsilon: number;

  /** @throws ArgumentError for wrong options. */
  constructor(size: number, options: LayerNormOptions = {}) {
    super();
    checkInteger(size, 'size', { min: 1 });
    checkOptions(options, 'options', ['epsilon', 'device', 'dtype']);
    this.epsilon = checkNumber(options.epsilon ?? 1e-5, 'epsilon', { above: 0 });
    const { device, dtype } = placement(options);
    ({ weight: this.weight, bias: this.bias } = createParameters({ weight: [size], bias: [size] }, dtype, device));
    this.drawParameters();
  }

  /**
   * @param x float [..., size]
   * @returns A tensor like x.
   * @throws ShapeError when the last axis of x is not `size` long.
   */
  forward(x: Tensor): Tensor {
    return layerNorm(x, { weight: this.weight, bias: this.bias, epsilon: this.epsilon });
  }

  protected override resetParameters(): void {
    constant(1).fill(this.weight);
    constant(0).fill(this.bias);
  }
}
