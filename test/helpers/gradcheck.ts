/** Gradients against central differences, in float64 through the native path. */

import { tensor } from '../../src/ops/index.js';
import { RandomSource } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from './close.js';

/** Numbers of one argument, in row-major order. */
export interface Values {
  shape: number[];
  data: Float64Array;
}

/** Seeded numbers spread evenly over low..high. */
export function values(shape: number[], { seed = 1, low = -2, high = 2 } = {}): Values {
  const source = new RandomSource(seed);
  const size = shape.reduce((product, count) => product * count, 1);
  return { shape, data: Float64Array.from({ length: size }, () => low + (high - low) * source.nextFloat()) };
}

/** The values as a float64 tensor, by default a leaf that requires a gradient. */
export function leaf({ shape, data }: Values, requiresGrad = true): Tensor {
  return tensor(data, { shape, requiresGrad });
}

const STEP = 1e-5;

/**
 * Checks the gradient of every element of every argument. `operation` may return several tensors; their elements are weighted
 * by fixed random numbers, so that no two errors cancel.
 */
export async function gradcheck(
  operation: (...inputs: Tensor[]) => Tensor | Tensor[],
  ...inputs: Values[]
): Promise<void> {
  const loss = (...tensors: Tensor[]): Tensor =>
    [operation(...tensors)]
      .flat()
      .map((output, i) => output.mul(leaf(values([...output.shape], { seed: 100 + i }), false)).sum())
      .reduce((total, next) => total.add(next));

  const gradients = scope(() => {
    const leaves = inputs.map((input) => leaf(input));
    backward(loss(...leaves));
    return leaves.map(({ grad }) => (grad as Tensor).data()) as unknown as Promise<Float64Array>[];
  });
  for (let which = 0; which < inputs.length; which++) {
    const shifted = (element: number, by: number): Promise<number> =>
      scope(() => {
        const tensors = inputs.map((input, i) => {
          const data = input.data.slice();
          if (i === which) data[element] += by;
          return leaf({ ...input, data }, false);
        });
        return loss(...tensors).item();
      });
    const differences = Array.from(inputs[which].data, async (_, element) => {
      const [above, below] = await Promise.all([shifted(element, STEP), shifted(element, -STEP)]);
      return (above - below) / (2 * STEP);
    });
    expectClose(await gradients[which], await Promise.all(differences), 'gradcheck', 'float64');
  }
}
