import { checkInteger, checkOptions } from '../check.js';
import { embedding } from '../ops/index.js';
import type { Tensor } from '../tensor.js';
import { normal } from './init.js';
import { Module, type ModuleOptions, placement } from './module.js';
import { createParameters, type Parameter } from './parameters.js';

export interface EmbeddingOptions extends ModuleOptions {
  /** Rows of the table: the number of distinct ids. */
  count: number;
  /** Features of each row. */
  size: number;
}

/**
 * A table of vectors, y = W[id] with `weight` W [count, size]: int32 [...] to [..., size]. Starts from N(0, 1) like
 * `torch.nn.Embedding`.
 *
 * @example
 * const vectors = new Embedding({ count: 28, size: 16 }).forward(tensor([3, 1], { dtype: 'int32' })); // [2, 16]
 */
export class Embedding extends Module {
  /** A vector for each id, [count,size]. */
  readonly weight: Parameter;

  /** @throws ArgumentError for wrong options. */
  constructor(options: EmbeddingOptions) {
    super();
    checkOptions(options, 'options', ['count', 'size', 'device', 'dtype']);
    const count = checkInteger(options.count, 'count', { min: 1 });
    const size = checkInteger(options.size, 'size', { min: 1 });
    const { device, dtype } = placement(options);
    this.weight = createParameters({ weight: [count, size] }, dtype, device).weight;
    this.drawParameters();
  }

  /**
   * @param ids int32 of any shape, each 0..count-1
   * @returns [...shape of ids, size]
   * @throws ArgumentError when ids are not int32; an id out of range fails on the device.
   */
  forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids);
  }

  protected override resetParameters(): void {
    normal(1).fill(this.weight);
  }
}
