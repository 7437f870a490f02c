import { describe, expect, it } from 'vitest';
import { device } from '../../src/device.js';
import { ArgumentError, FreedError, ShapeError } from '../../src/errors.js';
import { Dropout } from '../../src/nn/dropout.js';
import { Embedding } from '../../src/nn/embedding.js';
import { constant } from '../../src/nn/init.js';
import { Linear } from '../../src/nn/linear.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import { Module } from '../../src/nn/module.js';
import { consolidate, contiguousRuns, type Parameter, parameter } from '../../src/nn/parameters.js';
import { linear, mul, ones, square, sum, tensor, zeros } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

class Model extends Module {
  readonly embedding = new Embedding({ count: 5, size: 3 });
  readonly blocks = [new Linear({ inputs: 3, outputs: 3 }), new Dropout(0.5), new Linear({ outputs: 4 })];
  readonly scale = scope(() => parameter(tensor([2, 3, 4, 5])));

  forward(ids: Tensor): Tensor {
    return mul(
      this.blocks.reduce((x, block) => block.forward(x), this.embedding.forward(ids)),
      this.scale,
    );
  }
}

/** Two layers that share one matrix. */
class Tied extends Module {
  readonly embedding = new Embedding({ count: 5, size: 3 });
  readonly head = new Linear({ inputs: 3, outputs: 5, bias: false });

  constructor() {
    super();
    this.head.weight!.dispose();
    this.head.weight!.store.release();
    this.head.weight = this.embedding.weight;
  }

  forward(ids: Tensor): Tensor {
    return this.head.forward(this.embedding.forward(ids));
  }
}

const ids = () => tensor([[4, 0, 4]], { dtype: 'int32' });
const build = (model: Model) =>
  scope(() => {
    model.forward(ids());
  });
const run = (model: Model) => scope(() => model.forward(ids()).data());

describe('names', () => {
  it('join properties and positions with dots', () => {
    using model = new Model();
    expect([...model.namedModules().keys()]).toEqual(['', 'embedding', 'blocks.0', 'blocks.1', 'blocks.2']);
    expect([...model.namedParameters().keys()]).toEqual([
      'scale',
      'embedding.weight',
      'blocks.0.weight',
      'blocks.0.bias',
    ]);
    build(model);
    expect([...model.namedParameters()].map(([name, { shape }]) => [name, ...shape])).toEqual([
      ['scale', 4],
      ['embedding.weight', 5, 3],
      ['blocks.0.weight', 3, 3],
      ['blocks.0.bias', 3],
      ['blocks.2.weight', 4, 3],
      ['blocks.2.bias', 4],
    ]);
    expect(model.parameterCount).toBe(15 + 12 + 16 + 4);
  });

  it('of recurrent stacks are those of PyTorch', () => {
    using rnn = new DeepLSTM({ layers: 2, inputSize: 5, hiddenSize: 4, projSize: 3, bidirectional: true });
    const names = (suffix: string, inputs: number) => [
      [`weight_ih_${suffix}`, 16, inputs],
      [`weight_hh_${suffix}`, 16, 3],
      [`bias_ih_${suffix}`, 16],
      [`bias_hh_${suffix}`, 16],
      [`weight_hr_${suffix}`, 3, 4],
    ];
    expect([...rnn.namedParameters()].map(([name, { shape }]) => [name, ...shape])).toEqual([
      ...names('l0', 5),
      ...names('l0_reverse', 5),
      ...names('l1', 6),
      ...names('l1_reverse', 6),
    ]);
  });

  it('show a shared parameter once, and both names load', async () => {
    using model = new Tied();
    expect([...model.namedParameters().keys()]).toEqual(['embedding.weight']);
    expect(model.parameterCount).toBe(15);
    const data = Float32Array.from({ length: 15 }, (_, i) => i);
    const stored = { dtype: 'float32', shape: [5, 3], data } as const;
    model.loadStateDict(new Map([['head.weight', stored]]));
    expect(await model.embedding.weight.data()).toEqual(data);
    scope(() => backward(sum(model.forward(ids()))));
    // Row 4 occurs twice: as input it receives 2 · (sum of rows), as output 2 · row 4 + row 0, as all rows do.
    const columnSums = [0, 1, 2].map((j) => 30 + 5 * j);
    const everyRow = [0, 1, 2].map((j) => 2 * (12 + j) + j);
    const gradient = await model.embedding.weight.grad.data();
    expect([...gradient.subarray(12)]).toEqual(everyRow.map((value, j) => value + 2 * columnSums[j]));
    expect([...gradient.subarray(3, 6)]).toEqual(everyRow);
  });
});

describe('state', () => {
  it('moves between models, sizes included', async () => {
    using model = new Model();
    model.eval();
    const before = await run(model);
    using copy = new Model();
    copy.eval();
    copy.loadStateDict(await model.stateDict());
    expect(await run(copy)).toEqual(before);
    for (const [name, { data }] of await copy.stateDict())
      expect(data).toEqual((await model.stateDict()).get(name)!.data);
  });

  it('that does not fit changes nothing', async () => {
    using model = new Model();
    build(model);
    const before = await model.stateDict();
    const changed = new Map([...before].map(([name, entry]) => [name, { ...entry, data: entry.data.map(() => 9) }]));
    const without = new Map([...changed].filter(([name]) => name !== 'scale'));
    expect(() => model.loadStateDict(without)).toThrow('Missing from the state: scale');
    expect(() => model.loadStateDict(new Map([...changed, ['extra', changed.get('scale')!]]))).toThrow(
      'Unexpected in the state: extra',
    );
    const wrongShape = { ...changed.get('scale')!, shape: [2, 2] };
    expect(() => model.loadStateDict(new Map([...changed, ['scale', wrongShape]]))).toThrow(ShapeError);
    const wrongType = { ...changed.get('scale')!, dtype: 'int32' as const, data: new Int32Array(4) };
    expect(() => model.loadStateDict(new Map([...changed, ['scale', wrongType]]))).toThrow(
      'float32 or float64 for the dtype of "scale"',
    );
    expect(() => model.loadStateDict({} as never)).toThrow(ArgumentError);
    expect(() => model.loadStateDict(new Map([...changed, ['scale', null as never]]))).toThrow(
      '{ dtype, shape, data } for "scale"',
    );
    expect(await model.stateDict()).toEqual(before);
    model.loadStateDict(without, { strict: false });
    expect(await model.scale.data()).toEqual(Float32Array.of(2, 3, 4, 5));
    expect((await model.embedding.weight.data())[0]).toBe(9);
  });

  it('needs known sizes', async () => {
    using model = new Model();
    expect(() => model.parameterCount).toThrow('blocks.2 has not seen an input yet');
    await expect(model.stateDict()).rejects.toThrow('blocks.2 has not seen an input yet');
  });
});

describe('parameters', () => {
  it('keep identity, values and gradients when a model moves into one store', async () => {
    using model = new Model();
    model.eval();
    scope(() => backward(sum(model.forward(ids()))));
    const parameters = model.parameters();
    const values = await Promise.all(parameters.map((p) => p.data()));
    const gradients = await Promise.all(parameters.map((p) => p.grad.data()));
    expect(contiguousRuns(parameters)).toHaveLength(4);
    const buffers = model.scale.device.memory().buffers;
    consolidate(parameters);
    // Four stores of two buffers each became one.
    expect(model.scale.device.memory().buffers).toBe(buffers - 6);
    expect(contiguousRuns(parameters)).toHaveLength(1);
    expect(model.parameters()).toEqual(parameters);
    expect(await Promise.all(parameters.map((p) => p.data()))).toEqual(values);
    expect(await Promise.all(parameters.map((p) => p.grad.data()))).toEqual(gradients);
    scope(() => backward(sum(model.forward(ids()))));
    const doubled = await Promise.all(parameters.map((p) => p.grad.data()));
    expect(doubled).toEqual(gradients.map((gradient) => gradient.map((value) => 2 * value)));
    const skipping = parameters.filter((_, i) => i !== 2);
    expect(contiguousRuns(skipping)).toHaveLength(2);
  });

  it('of different devices stay apart', () => {
    using other = device('cpu', { threads: 1 });
    using here = new Linear({ inputs: 1, outputs: 1 });
    using there = new Linear({ inputs: 1, outputs: 1, device: other });
    expect(() => consolidate([...here.parameters(), ...there.parameters()])).toThrow(ArgumentError);
  });

  it('may move between forward and backward', async () => {
    using model = new Model();
    model.eval();
    scope(() => backward(sum(square(model.forward(ids())))));
    const wanted = await model.embedding.weight.grad.data();
    model.zeroGrad();
    scope(() => {
      const loss = sum(square(model.forward(ids())));
      consolidate(model.parameters());
      backward(loss);
    });
    expect(await model.embedding.weight.grad.data()).toEqual(wanted);
  });

  it('accumulate gradients until zeroGrad, and only those of that module', async () => {
    using model = new Model();
    scope(() => backward(sum(model.forward(ids()))));
    consolidate(model.parameters());
    const kept = await model.embedding.weight.grad.data();
    for (const block of model.blocks) block.zeroGrad();
    expect(await (model.blocks[0] as Linear).weight!.grad.data()).toEqual(new Float32Array(9));
    expect(await model.embedding.weight.grad.data()).toEqual(kept);
    expect(kept.some((value) => value !== 0)).toBe(true);
  });

  it('do not gather gradients while frozen', async () => {
    using rnn = new DeepLSTM({ inputSize: 2, hiddenSize: 3 });
    for (const frozen of rnn.parameters()) frozen.requiresGrad = false;
    scope(() => {
      const x = tensor([[[1, 2]]], { requiresGrad: true });
      backward(sum(rnn.forward(x).output));
    });
    for (const { grad } of rnn.parameters()) expect((await grad.data()).every((value) => value === 0)).toBe(true);
  });

  it('have gradients that cannot be taken away', () => {
    using model = new Linear({ inputs: 2, outputs: 2 });
    expect(() => {
      (model.weight as { grad: unknown }).grad = null;
    }).toThrow(TypeError);
  });

  it('outlive the scope that they are made in', async () => {
    const model = scope(() => new Linear({ outputs: 2, bias: false }).initialize(constant(1)));
    expect(await scope(() => model.forward(ones([1, 3])).data())).toEqual(Float32Array.of(3, 3));
    model.dispose();
    expect(() => scope(() => model.forward(zeros([1, 3])))).toThrow(FreedError);
  });

  it('can be made from float tensors only', () => {
    scope(() => {
      expect(() => parameter(tensor([1], { dtype: 'int32' }))).toThrow('a float tensor for initial');
      expect(() => parameter(3 as never)).toThrow(ArgumentError);
    });
  });
});

it('train and eval reach all submodules', () => {
  using model = new Model();
  model.eval();
  expect([...model.namedModules().values()].every(({ training }) => !training)).toBe(true);
  model.train();
  expect([...model.namedModules().values()].every(({ training }) => training)).toBe(true);
  expect(() => model.train('yes' as never)).toThrow(ArgumentError);
});

it('a module may be its own descendant', () => {
  class Circle extends Module {
    readonly layer = new Linear({ inputs: 1, outputs: 1 });
    self: Module = this;
    forward(): void {}
  }
  using circle = new Circle();
  expect([...circle.namedParameters().keys()]).toEqual(['layer.weight', 'layer.bias']);
});

it('parameters work in operations of one’s own', async () => {
  class Twice extends Module {
    readonly weight: Parameter = scope(() => parameter(ones([2, 3])));
    forward(x: Tensor): Tensor {
      return linear(linear(x, this.weight), ones([1, 2]));
    }
  }
  using model = new Twice();
  expect(await scope(() => model.forward(ones([1, 3])).data())).toEqual(Float32Array.of(6));
});
