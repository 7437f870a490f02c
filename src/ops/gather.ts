/** Elements chosen by int32 indices. */
import { expected, ShapeError } from '../errors.js';
import { record } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { checkAxis } from './layout.js';
import { checkIndices, checkTensor } from './operands.js';
import { around, emptyLike, fill, type GatherSizes, gatherInto, scatterAdd } from './primitives.js';
import { slice } from './shape.js';

/**
 * y[i][j][k] = x[i][indices[i][j][k]][k] for axis 1, likewise for others: as many axes as x, y shaped like `indices`, which
 * must not be longer than x along the other axes.
 *
 * @throws ShapeError when the shapes do not fit; DeviceError when the values are read and an index lies outside the axis.
 * @example
 * gather(tensor([[1, 2], [3, 4]]), tensor([[1], [0]], { dtype: 'int32' }), 1); // [[2], [3]]
 */
export function gather(x: Tensor, indices: Tensor, axis: number): Tensor {
  checkTensor(x, 'x');
  checkIndices(indices, 'indices', x);
  const along = checkAxis(axis, x.rank);
  const fits = indices.rank === x.rank && indices.shape.every((count, i) => i === along || count <= x.shape[i]);
  if (!fits) {
    const limit = `${x.rank} axes, no longer than x [${x.shape.join(', ')}] but for axis ${along},`;
    throw expected(limit, 'indices', indices.shape, ShapeError);
  }
  let source = x;
  indices.shape.forEach((count, i) => {
    if (i !== along && count < x.shape[i]) source = slice(source, i, 0, count);
  });
  const { outer, count, inner } = around(indices.shape, along);
  const sizes = { outer, axis: x.shape[along], count, inner, indexStrides: [count * inner, inner, 1] } as const;
  return gathered('gather', source, indices, sizes, indices.shape);
}

/**
 * Rows of a table: weight [V, E] and int32 ids of any shape [...] to [..., E].
 *
 * @throws ShapeError unless weight has two axes; DeviceError when the values are read and an id lies outside 0..V - 1.
 * @example
 * embedding(eye(3), tensor([2, 0], { dtype: 'int32' })); // [[0, 0, 1], [1, 0, 0]]
 */
export function embedding(weight: Tensor, indices: Tensor): Tensor {
  checkTensor(weight, 'weight');
  if (weight.rank !== 2) throw expected('two axes, [count, size],', 'weight', weight.shape, ShapeError);
  checkIndices(indices, 'indices', weight);
  const [rows, size] = weight.shape;
  const sizes = { outer: 1, axis: rows, count: indices.size, inner: size, indexStrides: [0, 1, 0] } as const;
  return gathered('embedding', weight, indices, sizes, [...indices.shape, size]);
}

function gathered(name: string, x: Tensor, indices: Tensor, sizes: GatherSizes, shape: readonly number[]): Tensor {
  const y = emptyLike(x, shape);
  gatherInto(sizes, x, indices, y);
  record(name, [x], [y], ([g], sink) => {
    const { tensor, accumulate } = sink.into(0);
    if (!accumulate) fill(tensor, 0);
    scatterAdd(sizes, g!, indices, tensor);
    return null;
  });
  return y;
}
