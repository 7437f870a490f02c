import { expected } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { Module } from './module.js';

/** A module that takes one tensor and returns one. */
export type Layer = Module & {
  /** From one tensor to one tensor. */
  forward(x: Tensor): Tensor;
};

/**
 * Layers applied one after the other; parameters are named by position, as in `torch.nn.Sequential`.
 *
 * @example
 * const y = new Sequential(new Linear({ outputs: 16 }), new LayerNorm(16)).forward(randn([4, 5]));
 */
export class Sequential extends Module {
  /** The layers, the first to be applied first. */
  readonly layers: readonly Layer[];

  /** @throws ArgumentError when an argument is no module. */
  constructor(...layers: Layer[]) {
    super();
    layers.forEach((layer, index) => {
      if (!(layer instanceof Module)) throw expected('a module', `layers[${index}]`, layer);
    });
    this.layers = layers;
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce((value, layer) => layer.forward(value), x);
  }

  override children(): [string, Module][] {
    return this.layers.map((layer, index) => [String(index), layer]);
  }
}
