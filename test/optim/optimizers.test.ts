import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../src/errors.js';
import { Linear } from '../../src/nn/linear.js';
import { Module } from '../../src/nn/module.js';
import { type Parameter, parameter } from '../../src/nn/parameters.js';
import { mul, randn, sum, tensor } from '../../src/ops/index.js';
import { Adagrad } from '../../src/optim/adagrad.js';
import { Adam, AdamW } from '../../src/optim/adam.js';
import type { Optimizer } from '../../src/optim/optimizer.js';
import { RMSprop } from '../../src/optim/rmsprop.js';
import { SGD } from '../../src/optim/sgd.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { loadFixture } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

const FIXTURE = loadFixture('optimizers.safetensors');
const START = FIXTURE.get('start')!.data as Float64Array;
const GRADIENTS = FIXTURE.get('gradients')!.data as Float64Array;
const SIZE = START.length;
const STEPS = GRADIENTS.length / SIZE;
const SPLIT = 6;

const gradientOf = (step: number) => GRADIENTS.subarray(step * SIZE, (step + 1) * SIZE);
const wantedAfter = (name: string, step: number) =>
  FIXTURE.get(name)!.data.subarray((step - 1) * SIZE, step * SIZE) as Float64Array;

/** Two parameters that together hold the numbers of the fixture's one; the loss has the given gradient. */
class Pair extends Module {
  readonly first: Parameter;
  readonly second: Parameter;

  constructor(dtype: 'float32' | 'float64' = 'float64') {
    super();
    this.first = scope(() => parameter(tensor(START.slice(0, SPLIT), { shape: [2, 3], dtype })));
    this.second = scope(() => parameter(tensor(START.slice(SPLIT), { dtype })));
  }

  forward(gradient: Float64Array): Tensor {
    const { dtype } = this.first;
    const left = sum(mul(this.first, tensor(gradient.slice(0, SPLIT), { shape: [2, 3], dtype })));
    return left.add(sum(mul(this.second, tensor(gradient.slice(SPLIT), { dtype }))));
  }

  async values(): Promise<number[]> {
    return [...(await this.first.data()), ...(await this.second.data())];
  }
}

function take(model: Pair, optimizer: Optimizer, step: number): void {
  scope(() => {
    optimizer.zeroGrad();
    backward(model.forward(gradientOf(step)));
    optimizer.step();
  });
}

const VARIANTS: Record<string, () => Optimizer> = {
  sgd: () => new SGD({ learningRate: 0.1 }),
  'sgd weight decay': () => new SGD({ learningRate: 0.1, weightDecay: 0.03 }),
  'sgd momentum': () => new SGD({ learningRate: 0.1, momentum: 0.9 }),
  'sgd dampening': () => new SGD({ learningRate: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.03 }),
  'sgd nesterov': () => new SGD({ learningRate: 0.1, momentum: 0.8, nesterov: true, weightDecay: 0.03 }),
  adam: () => new Adam({ learningRate: 0.01 }),
  'adam options': () => new Adam({ learningRate: 0.02, beta1: 0.8, beta2: 0.95, epsilon: 1e-4, weightDecay: 0.05 }),
  adamw: () => new AdamW({ learningRate: 0.01 }),
  'adamw options': () => new AdamW({ learningRate: 0.02, beta1: 0.8, beta2: 0.95, epsilon: 1e-4, weightDecay: 0.3 }),
  rmsprop: () => new RMSprop(),
  'rmsprop momentum': () => new RMSprop({ learningRate: 0.02, alpha: 0.9, momentum: 0.7, weightDecay: 0.05 }),
  'rmsprop centered': () => new RMSprop({ learningRate: 0.02, alpha: 0.9, epsilon: 1e-3, centered: true }),
  'rmsprop centered momentum': () => new RMSprop({ learningRate: 0.02, centered: true, momentum: 0.7 }),
  adagrad: () => new Adagrad(),
  'adagrad options': () =>
    new Adagrad({ learningRate: 0.1, learningRateDecay: 0.1, initialAccumulator: 0.2, weightDecay: 0.05 }),
};

describe.each(Object.entries(VARIANTS))('%s', (name, make) => {
  it('follows PyTorch step for step', async () => {
    using model = new Pair();
    using optimizer = make().attach(model);
    for (let step = 0; step < STEPS; step++) {
      take(model, optimizer, step);
      expectClose(await model.values(), wantedAfter(name, step + 1), 'sum', 'float64');
    }
  });

  it('follows PyTorch in float32', async () => {
    using model = new Pair('float32');
    using optimizer = make().attach(model);
    for (let step = 0; step < STEPS; step++) take(model, optimizer, step);
    expectClose(await model.values(), wantedAfter(name, STEPS), 'training', 'float32');
  });

  it('goes on from a stored state', async () => {
    using model = new Pair();
    using before = make().attach(model);
    for (let step = 0; step < 4; step++) take(model, before, step);
    before.learningRate *= 2;
    const state = await before.stateDict();

    using copy = new Pair();
    copy.loadStateDict(await model.stateDict());
    using after = make().attach(copy);
    after.loadStateDict(state);
    expect(after.learningRate).toBe(before.learningRate);
    for (let step = 4; step < 7; step++) {
      take(model, before, step);
      take(copy, after, step);
    }
    expect(await copy.values()).toEqual(await model.values());
  });
});

describe('groups and frozen parameters', () => {
  it('gives each parameter the numbers of the first group that matches', async () => {
    using model = new Pair();
    const groups = [
      { parameters: /second/g, weightDecay: 0.03 },
      { parameters: () => true, learningRate: 0.05 },
    ];
    using optimizer = new SGD({ learningRate: 0.1, groups }).attach(model);
    take(model, optimizer, 0);
    const wanted = Array.from(START, (value, i) =>
      i < SPLIT ? value - 0.05 * GRADIENTS[i] : value - 0.1 * (GRADIENTS[i] + 0.03 * value),
    );
    expectClose(await model.values(), wanted, 'sum', 'float64');

    optimizer.learningRate = 0.2;
    take(model, optimizer, 1);
    const next = wanted.map((value, i) => {
      const gradient = gradientOf(1)[i];
      return i < SPLIT ? value - 0.1 * gradient : value - 0.2 * (gradient + 0.03 * value);
    });
    expectClose(await model.values(), next, 'sum', 'float64');
  });

  it('takes global patterns, whatever they matched before', async () => {
    using model = new Pair();
    const groups = [{ parameters: /first|second/g, learningRate: 0.05 }];
    using optimizer = new SGD({ learningRate: 0.1, groups }).attach(model);
    take(model, optimizer, 0);
    expectClose(
      await model.values(),
      Array.from(START, (value, i) => value - 0.05 * GRADIENTS[i]),
      'sum',
      'float64',
    );
  });

  it('skips frozen parameters, and counts their steps from when they are set free', async () => {
    using model = new Pair();
    using optimizer = new Adam({ learningRate: 0.01 }).attach(model);
    model.second.requiresGrad = false;
    for (let step = 0; step < 3; step++) take(model, optimizer, step);
    const half = await model.values();
    expectClose(half.slice(0, SPLIT), wantedAfter('adam', 3).subarray(0, SPLIT), 'sum', 'float64');
    expect(half.slice(SPLIT)).toEqual(Array.from(START.subarray(SPLIT)));
    // From its own first step on, the second parameter moves as if nothing had happened before.
    model.second.requiresGrad = true;
    for (let step = 0; step < 3; step++) take(model, optimizer, step);
    expectClose((await model.values()).slice(SPLIT), wantedAfter('adam', 3).subarray(SPLIT), 'sum', 'float64');
  });

  it('keeps its state when the model grows or moves into a larger store', async () => {
    using model = new Pair();
    using optimizer = new Adam({ learningRate: 0.01 }).attach(model);
    for (let step = 0; step < 2; step++) take(model, optimizer, step);
    const grown = model as Pair & { head?: Linear };
    grown.head = new Linear({ inputs: 2, outputs: 3, dtype: 'float64' });
    for (let step = 2; step < 5; step++) take(model, optimizer, step);
    expectClose(await model.values(), wantedAfter('adam', 5), 'sum', 'float64');
    expect(grown.head.weight!.store).toBe(model.first.store);

    class Larger extends Module {
      readonly other = new Linear({ inputs: 3, outputs: 5, dtype: 'float64' });
      readonly inner = model;
      forward(): void {}
    }
    using larger = new Larger();
    using second = new SGD({ learningRate: 0 }).attach(larger);
    second.step();
    expect(model.first.store).toBe(larger.other.weight!.store);
    for (let step = 5; step < STEPS; step++) take(model, optimizer, step);
    expectClose(await model.values(), wantedAfter('adam', STEPS), 'sum', 'float64');
  });
});

it('makes room for parameters that appear before the first step', async () => {
  using model = new Pair();
  using optimizer = new Adam({ learningRate: 0.01 }).attach(model);
  expect((await optimizer.stateDict()).get('step.first')!.data).toEqual(Int32Array.of(0));
  const grown = model as Pair & { head?: Linear };
  grown.head = new Linear({ inputs: 2, outputs: 3, dtype: 'float64' });
  const head = await grown.head.weight!.data();
  take(model, optimizer, 0);
  expectClose(await model.values(), wantedAfter('adam', 1), 'sum', 'float64');
  expect(await grown.head.weight!.data()).toEqual(head);
});

it('finds parameters that are made by the first forward pass', async () => {
  using model = new Linear({ outputs: 2, dtype: 'float64' });
  using optimizer = new SGD({ learningRate: 1 }).attach(model);
  expect(() => optimizer.step()).toThrow('run it forward first');
  scope(() => backward(sum(model.forward(randn([3, 4], { dtype: 'float64' })))));
  const bias = await model.bias!.data();
  optimizer.step();
  expectClose(await model.bias!.data(), [bias[0] - 3, bias[1] - 3], 'sum', 'float64');
});

it('allocates nothing in a step', async () => {
  using model = new Pair();
  using optimizer = new Adam().attach(model);
  take(model, optimizer, 0);
  const before = model.first.device.memory().buffers;
  take(model, optimizer, 1);
  optimizer.zeroGrad();
  optimizer.step();
  expect(model.first.device.memory().buffers).toBe(before);
});

describe('misuse', () => {
  it.each<[string, () => unknown, string]>([
    ['no rate', () => new SGD({} as { learningRate: number }), 'a finite number at least 0 for learningRate'],
    ['NaN rate', () => new Adam({ learningRate: Number.NaN }), 'for learningRate but received NaN'],
    ['negative decay', () => new SGD({ learningRate: 1, weightDecay: -1 }), 'for weightDecay but received -1'],
    ['beta of one', () => new Adam({ beta2: 1 }), 'for beta2 but received 1'],
    ['zero epsilon', () => new RMSprop({ epsilon: 0 }), 'for epsilon but received 0'],
    ['nesterov alone', () => new SGD({ learningRate: 1, nesterov: true }), 'momentum above 0'],
    ['misspelt option', () => new Adam({ learningrate: 1 } as object), "did you mean 'learningRate'?"],
    ['no group', () => new Adam({ groups: [null as never] }), 'an object of options for groups[0]'],
    ['bad group', () => new Adam({ groups: [{ parameters: 'x' as never }] }), 'for groups[0].parameters'],
    ['no model', () => new Adam().step(), 'call attach(model) first'],
    ['not a model', () => new Adam().attach({} as Module), 'a module for model'],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(message);
  });

  it('rejects a second model and states that do not fit', async () => {
    using model = new Pair();
    using other = new Pair();
    using optimizer = new Adam().attach(model);
    expect(() => optimizer.attach(other)).toThrow('attach once');
    const state = await optimizer.stateDict();
    const name = 'exp_avg.second';
    expect(() => optimizer.loadStateDict(new Map([...state].filter(([key]) => key !== name)))).toThrow(
      `Missing from the state: ${name}`,
    );
    state.set(name, { dtype: 'float64', shape: [2], data: Float64Array.of(1, 2) });
    expect(() => optimizer.loadStateDict(state)).toThrow(ShapeError);
  });
});
