/** Every operation and its gradient on the GPU against the CPU: between them they launch every kernel of the project. */
import type { Device } from '../device.js';
import type { DType, FloatDType } from '../dtype.js';
import * as ops from '../ops/index.js';
import { copyRegion, scatterAdd, whole } from '../ops/primitives.js';
import type { Tensor } from '../tensor.js';
import { compareOn, type HostValues, type Operation, values } from './both.js';
import type { Checks } from './checks.js';

interface Case {
  name: string;
  inputs: HostValues[];
  run(...inputs: Tensor[]): Tensor | Tensor[];
}

/** Of results relative to the largest: the GPU's exp, log and tanh differ from the CPU's by some units in the last place. */
const TOLERANCE: Record<DType, number> = { float32: 5e-6, float64: 1e-12, int32: 0 };

/** Sizes: small ones with odd edges, and some that fill many blocks. */
interface Sizes {
  rows: number;
  columns: number;
  vocabulary: number;
}
const SMALL: Sizes = { rows: 67, columns: 131, vocabulary: 301 };
const LARGE: Sizes = { rows: 259, columns: 515, vocabulary: 10_007 };

const condition = (rows: number, columns: number) => values([rows, columns], 'int32', 6, 0, 2);

function elementwise(dtype: FloatDType, { rows, columns }: Sizes): Case[] {
  const x = values([rows, columns], dtype, 1, -2, 2);
  const positive = values([rows, columns], dtype, 2, 0.1, 3);
  const one = (run: Operation, name: string, input = x): Case => ({ name, inputs: [input], run });
  const row = values([columns], dtype, 3, 0.5, 2);
  const column = values([rows, 1], dtype, 4, 0.5, 2);
  const two = (run: Operation, name: string, a = x): Case[] => [
    { name, inputs: [a, values([rows, columns], dtype, 5, 0.5, 2)], run },
    { name: `${name}, a row for all rows`, inputs: [a, row], run },
    { name: `${name}, a column for all columns`, inputs: [a, column], run },
  ];
  const compare = { equal: ops.equal, notEqual: ops.notEqual, less: ops.less, lessEqual: ops.lessEqual };
  const others = { greater: ops.greater, greaterEqual: ops.greaterEqual };
  return [
    ...Object.entries({ neg: ops.neg, abs: ops.abs, sign: ops.sign, exp: ops.exp, square: ops.square }).map(
      ([name, run]) => one(run, name),
    ),
    ...Object.entries({ sigmoid: ops.sigmoid, tanh: ops.tanh, relu: ops.relu }).map(([name, run]) => one(run, name)),
    ...Object.entries({ log: ops.log, sqrt: ops.sqrt, reciprocal: ops.reciprocal }).map(([name, run]) =>
      one(run, name, positive),
    ),
    one((x) => ops.pow(x, 1.7), 'power of a number', positive),
    one((x) => ops.clamp(x, -0.5, 0.7), 'clamp'),
    one((x) => ops.add(ops.mul(x, 1.5), 0.25), 'with numbers'),
    ...two(ops.add, 'add'),
    ...two(ops.sub, 'sub'),
    ...two(ops.mul, 'mul'),
    ...two(ops.div, 'div'),
    ...two(ops.pow, 'pow', positive),
    ...two(ops.maximum, 'maximum'),
    ...two(ops.minimum, 'minimum'),
    ...Object.entries({ ...compare, ...others }).flatMap(([name, run]) => two(run, name).slice(0, 1)),
    { name: 'where', inputs: [condition(rows, columns), x, row], run: ops.where },
  ];
}

function layouts(dtype: FloatDType, { rows, columns }: Sizes): Case[] {
  const x = values([rows, columns], dtype, 1);
  const cube = values([7, 9, columns], dtype, 2);
  return [
    { name: 'transpose', inputs: [x], run: (x) => ops.transpose(x) },
    { name: 'transpose of three axes', inputs: [cube], run: (x) => ops.transpose(x, [2, 0, 1]) },
    { name: 'slice', inputs: [cube], run: (x) => ops.slice(x, 1, 2, 7) },
    { name: 'split', inputs: [cube], run: (x) => ops.split(x, [2, 5], 0) },
    { name: 'concat', inputs: [x, values([5, columns], dtype, 3)], run: (a, b) => ops.concat([a, b], 0) },
    { name: 'stack', inputs: [x, x], run: (a, b) => ops.stack([a, b], 1) },
  ];
}

function reductions(dtype: FloatDType, { rows, columns }: Sizes): Case[] {
  const x = values([rows, columns], dtype, 1);
  const cube = values([7, columns, 9], dtype, 2);
  const each = (name: string, run: Operation, input = x): Case => ({ name, inputs: [input], run });
  return [
    each('sum', (x) => ops.sum(x)),
    each('sum of columns', (x) => ops.sum(x, 0)),
    each('sum of rows', (x) => ops.sum(x, 1)),
    each('sum of the middle axis', (x) => ops.sum(x, 1), cube),
    each('sum of two axes', (x) => ops.sum(x, [0, 2]), cube),
    each('mean', (x) => ops.mean(x, 1)),
    each('max', (x) => ops.max(x, 1)),
    each('max of columns', (x) => ops.max(x, 0)),
    each('argmax', (x) => ops.argmax(x, 1)),
    each('argmax of columns', (x) => ops.argmax(x, 0)),
    each('softmax', (x) => ops.softmax(x)),
    each('log-softmax', (x) => ops.logSoftmax(x)),
    each('softmax of columns', (x) => ops.softmax(x, 0)),
    { name: 'layer norm', inputs: [x], run: (x) => ops.layerNorm(x) },
  ];
}

function products(dtype: FloatDType, { rows, columns }: Sizes): Case[] {
  const a = values([rows, columns], dtype, 1);
  const b = values([columns, 33], dtype, 2);
  return [
    { name: 'matmul', inputs: [a, b], run: ops.matmul },
    {
      name: 'matmul of transposed',
      inputs: [a, values([rows, 33], dtype, 3)],
      run: (a, b) => ops.matmul(ops.transpose(a), b),
    },
    {
      name: 'matmul of a batch',
      inputs: [values([5, 17, 19], dtype, 4), values([5, 19, 23], dtype, 5)],
      run: ops.matmul,
    },
    {
      name: 'linear',
      inputs: [a, values([29, columns], dtype, 6), values([29], dtype, 7)],
      run: (x, weight, bias) => ops.linear(x, weight, bias),
    },
  ];
}

function lookups(dtype: FloatDType, { rows, columns, vocabulary }: Sizes): Case[] {
  const table = values([vocabulary, 21], dtype, 1);
  const ids = values([rows * 3], 'int32', 2, 0, vocabulary);
  const few = values([rows * 3], 'int32', 3, 0, 3);
  return [
    { name: 'embedding', inputs: [table, ids], run: ops.embedding },
    { name: 'embedding with many equal ids', inputs: [table, few], run: ops.embedding },
    {
      name: 'gather',
      inputs: [values([rows, columns], dtype, 4), values([rows, 5], 'int32', 5, 0, columns)],
      run: (x, index) => ops.gather(x, index, 1),
    },
    {
      name: 'gather along the first axis',
      inputs: [values([rows, columns], dtype, 6), values([9, columns], 'int32', 7, 0, rows)],
      run: (x, index) => ops.gather(x, index, 0),
    },
  ];
}

function losses(dtype: FloatDType, { rows, columns, vocabulary }: Sizes): Case[] {
  const logits = values([rows, vocabulary], dtype, 1, -3, 3);
  const targets = values([rows], 'int32', 2, 0, vocabulary);
  const [prediction, target] = [values([rows, columns], dtype, 3, 0.1, 0.9), values([rows, columns], dtype, 4, 0, 1)];
  return [
    { name: 'cross-entropy', inputs: [logits, targets], run: (x, y) => ops.crossEntropy(x, y) },
    {
      name: 'cross-entropy with smoothing, weights and ignored targets',
      inputs: [logits, targets, values([vocabulary], dtype, 5, 0.5, 2)],
      run: (x, y, weights) =>
        ops.crossEntropy(x, y, { labelSmoothing: 0.1, weights: weights.detach(), ignoreIndex: 2, reduction: 'none' }),
    },
    { name: 'mean squared error', inputs: [prediction, target], run: (x, y) => ops.mse(x, y) },
    { name: 'mean absolute error', inputs: [prediction, target], run: (x, y) => ops.l1(x, y) },
    { name: 'Huber loss', inputs: [prediction, target], run: (x, y) => ops.huber(x, y) },
    {
      name: 'binary cross-entropy',
      inputs: [prediction, target],
      run: (x, y) => ops.binaryCrossEntropy(x, y.detach()),
    },
  ];
}

function makers(dtype: FloatDType, { rows, columns }: Sizes): Case[] {
  const x = values([rows, columns], dtype, 1);
  const shape = [rows, columns];
  // Where to make something is told by an input that nothing is made from.
  const make = (name: string, run: (device: Device) => Tensor): Case => ({
    name,
    inputs: [values([1], 'int32', 1)],
    run: ({ device }) => run(device),
  });
  return [
    make('full', (device) => ops.full(shape, 1.25, { dtype, device })),
    make('rand', (device) => ops.rand(shape, { dtype, device, seed: 5 })),
    make('randn', (device) => ops.randn(shape, { dtype, device, seed: 6 })),
    make('arange', (device) => ops.arange(1000, { dtype, device })),
    make('one-hot', (device) =>
      ops.oneHot(ops.tensor(values([rows], 'int32', 7, 0, 9).data, { device }), 9, { dtype }),
    ),
    { name: 'dropout', inputs: [x], run: (x) => ops.dropout(x, 0.3, { seed: 8, training: true }) },
    { name: 'cast to float32', inputs: [x], run: (x) => ops.cast(x, 'float32') },
    { name: 'cast to float64', inputs: [x], run: (x) => ops.cast(x, 'float64') },
    { name: 'cast to int32', inputs: [values(shape, dtype, 9, -50, 50)], run: (x) => ops.cast(x, 'int32') },
    { name: 'cast from int32', inputs: [values(shape, 'int32', 10, -50, 50)], run: (x) => ops.cast(x, dtype) },
  ];
}

function integers({ rows, columns }: Sizes): Case[] {
  const a = values([rows, columns], 'int32', 1, -40, 40);
  const b = values([rows, columns], 'int32', 2, 1, 9);
  const row = values([columns], 'int32', 3, -40, 40);
  return [
    { name: 'add', inputs: [a, row], run: ops.add },
    { name: 'mul', inputs: [a, b], run: ops.mul },
    { name: 'maximum', inputs: [a, row], run: ops.maximum },
    { name: 'neg', inputs: [a], run: ops.neg },
    { name: 'less', inputs: [a, row], run: ops.less },
    { name: 'where', inputs: [condition(rows, columns), a, row], run: ops.where },
    { name: 'sum', inputs: [a], run: (x) => ops.sum(x) },
    { name: 'sum of columns', inputs: [a], run: (x) => ops.sum(x, 0) },
    { name: 'max', inputs: [a], run: (x) => ops.max(x, 1) },
    { name: 'argmax', inputs: [a], run: (x) => ops.argmax(x, 1) },
    { name: 'transpose', inputs: [a], run: (x) => ops.transpose(x) },
    {
      name: 'embedding',
      inputs: [values([50, 7], 'int32', 4, 0, 99), values([rows], 'int32', 5, 0, 50)],
      run: ops.embedding,
    },
    {
      name: 'one-hot',
      inputs: [values([rows], 'int32', 7, 0, 9)],
      run: (ids) => ops.oneHot(ids, 9, { dtype: 'int32' }),
    },
    // No public operation adds integers up at indices or into a tensor: gradients are not integers.
    {
      name: 'scatter-add',
      inputs: [values([rows * 3, 7], 'int32', 8, -40, 40), values([rows * 3], 'int32', 9, 0, 50)],
      run: (source, index) => {
        const sum = ops.zeros([50, 7], { dtype: 'int32', device: source.device });
        const sizes = { outer: 1, axis: 50, count: rows * 3, inner: 7, indexStrides: [0, 1, 0] } as const;
        scatterAdd(sizes, source, index, sum);
        return sum;
      },
    },
    {
      name: 'copy that adds',
      inputs: [a],
      run: (x) => {
        const sum = ops.full(x.shape, 3, { dtype: 'int32', device: x.device });
        copyRegion(x.shape, whole(x), whole(sum), true);
        return sum;
      },
    },
  ];
}

const OF_FLOATS = [elementwise, layouts, reductions, products, lookups, losses, makers];

/** The operations with small sizes, and unless `quick` with large ones. */
export async function checkOperations(checks: Checks, devices: [Device, Device], quick: boolean): Promise<void> {
  for (const sizes of quick ? [SMALL] : [SMALL, LARGE]) {
    const large = sizes === LARGE ? ', large' : '';
    const run = ({ name, inputs, run }: Case, dtype: DType) =>
      checks.check(`${name}, ${dtype}${large}`, () => compareOn(devices, TOLERANCE[dtype], inputs, run));
    for (const dtype of ['float32', 'float64'] as const)
      for (const cases of OF_FLOATS) for (const each of cases(dtype, sizes)) await run(each, dtype);
    for (const each of integers(sizes)) await run(each, 'int32');
  }
}
