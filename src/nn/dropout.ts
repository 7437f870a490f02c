import { checkNumber } from '../check.js';
import { dropout } from '../ops/index.js';
import type { Tensor } from '../tensor.js';
import { Module } from './module.js';

/**
 * Zeroes each element with probability p while training and scales the others by 1/(1-p); passes its input through otherwise
 * (Srivastava et al., JMLR 2014). Masks follow `manualSeed`.
 *
 * @example
 * const y = new Dropout(0.5).forward(ones([100]));
 */
export class Dropout extends Module {
  /** @throws ArgumentError unless p is from 0 to below 1. */
  constructor(
    /** Probability of zeroing an element. */
    readonly p = 0.5,
  ) {
    super();
    checkNumber(p, 'p', { min: 0, below: 1 });
  }

  /** @returns A tensor like x. */
  forward(x: Tensor): Tensor {
    return dropout(x, this.p, { training: this.training });
  }
}
