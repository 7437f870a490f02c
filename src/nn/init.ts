/** Initialisers: how the values of parameters are drawn before training. */
import { checkNumber } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import { RANDOM } from '../native/binding.js';
import { fillRandom } from '../ops/create.js';
import { fill } from '../ops/primitives.js';
import { nextSeed, RandomSource } from '../random.js';
import type { Tensor } from '../tensor.js';

/** Fills tensors in place; the global random stream (`manualSeed`) provides the seeds. */
export interface Initializer {
  /** For messages, such as `normal(0.01)`. */
  readonly description: string;
  /** Overwrites all elements of `target`. */
  fill(target: Tensor): void;
}

/**
 * Values drawn from N(mean, std²).
 *
 * @example
 * model.initialize(normal(0.01));
 */
export function normal(std = 0.01, mean = 0): Initializer {
  checkNumber(std, 'std', { min: 0 });
  checkNumber(mean, 'mean');
  return {
    description: `normal(${std}, ${mean})`,
    fill: (target) => void fillRandom(target, RANDOM.normal, nextSeed(), mean, std),
  };
}

/**
 * Values drawn uniformly from [low, high).
 *
 * @example
 * model.initialize(uniform(-0.1, 0.1));
 */
export function uniform(low: number, high: number): Initializer {
  checkNumber(low, 'low');
  checkNumber(high, 'high', { min: low });
  return {
    description: `uniform(${low}, ${high})`,
    fill: (target) => void fillRandom(target, RANDOM.uniform, nextSeed(), low, high),
  };
}

/**
 * The same value everywhere.
 *
 * @example
 * model.initialize(normal(0.01), { bias: constant(0.1) });
 */
export function constant(value: number): Initializer {
  checkNumber(value, 'value');
  return { description: `constant(${value})`, fill: (target) => void fill(target, value) };
}

/**
 * Uniform in ±gain·sqrt(6 / (inputs + outputs)) for matrices [outputs, inputs] (Glorot and Bengio, AISTATS 2010).
 *
 * @example
 * model.initialize(xavierUniform());
 */
export function xavierUniform(gain = 1): Initializer {
  checkNumber(gain, 'gain');
  return {
    description: `xavierUniform(${gain})`,
    fill: (target) => {
      const [outputs, inputs] = matrixSizes(target, 'xavierUniform');
      const bound = Math.abs(gain) * Math.sqrt(6 / (inputs + outputs));
      fillRandom(target, RANDOM.uniform, nextSeed(), -bound, bound);
    },
  };
}

/**
 * Normal with deviation gain·sqrt(2 / (inputs + outputs)) for matrices [outputs, inputs] (Glorot and Bengio, AISTATS 2010).
 *
 * @example
 * model.initialize(xavierNormal());
 */
export function xavierNormal(gain = 1): Initializer {
  checkNumber(gain, 'gain');
  return {
    description: `xavierNormal(${gain})`,
    fill: (target) => {
      const [outputs, inputs] = matrixSizes(target, 'xavierNormal');
      fillRandom(target, RANDOM.normal, nextSeed(), 0, Math.abs(gain) * Math.sqrt(2 / (inputs + outputs)));
    },
  };
}

/**
 * A random matrix with orthonormal rows or columns, whichever are fewer, times `gain` (Saxe et al., arXiv:1312.6120).
 *
 * @example
 * model.initialize(xavierUniform(), { recurrent: orthogonal() });
 */
export function orthogonal(gain = 1): Initializer {
  checkNumber(gain, 'gain');
  return {
    description: `orthogonal(${gain})`,
    fill: (target) => {
      const [rows, columns] = matrixSizes(target, 'orthogonal');
      const vectors = orthonormal(Math.min(rows, columns), Math.max(rows, columns), new RandomSource(nextSeed()));
      const values = new Float64Array(rows * columns);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          values[i * columns + j] = gain * (rows <= columns ? vectors[i][j] : vectors[j][i]);
      target.copyFrom(values);
    },
  };
}

function matrixSizes(target: Tensor, name: string): readonly [number, number] {
  if (target.rank !== 2) throw expected('a matrix', name, target.toString(), ShapeError);
  return [target.shape[0], target.shape[1]];
}

/** `count` orthonormal vectors of `length`, by Gram-Schmidt on normal draws; the second pass restores lost digits. */
function orthonormal(count: number, length: number, source: RandomSource): Float64Array[] {
  const vectors: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    const vector = Float64Array.from({ length }, () => normalDraw(source));
    for (let pass = 0; pass < 2; pass++)
      for (const other of vectors) {
        const projection = dot(vector, other);
        for (let j = 0; j < length; j++) vector[j] -= projection * other[j];
      }
    const scale = 1 / Math.sqrt(dot(vector, vector));
    vectors.push(vector.map((value) => value * scale));
  }
  return vectors;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Box and Muller's transform. */
function normalDraw(source: RandomSource): number {
  const radius = Math.sqrt(-2 * Math.log(1 - source.nextFloat()));
  return radius * Math.cos(2 * Math.PI * source.nextFloat());
}
