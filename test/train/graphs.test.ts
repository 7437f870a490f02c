/** Steps replayed as CUDA graphs do what the same steps do one by one, bit for bit. On the CPU nothing is replayed. */
import { afterEach, describe, expect, test } from 'vitest';
import { loadCorpus } from '../../src/data/corpus.js';
import { ConsecutiveLoader, type SequenceBatch } from '../../src/data/loaders.js';
import { type Device, type DeviceGraphs, defaultDevice, device, setDefaultDevice } from '../../src/device.js';
import { ArgumentError, DeviceError } from '../../src/errors.js';
import { graphed } from '../../src/graphed.js';
import { LanguageModel } from '../../src/models/language-model.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { Module } from '../../src/nn/module.js';
import { dropout, ones, randn, tensor, zeros } from '../../src/ops/index.js';
import { Adam } from '../../src/optim/adam.js';
import { clipGradNorm } from '../../src/optim/clip.js';
import type { Optimizer } from '../../src/optim/optimizer.js';
import { CosineAnnealingLR } from '../../src/optim/schedules.js';
import { SGD } from '../../src/optim/sgd.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { nextTokenLoss } from '../../src/train/next-token.js';
import { Trainer, type TrainerOptions } from '../../src/train/trainer.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { rhyme } from '../helpers/texts.js';

const { kind } = expectNoLeaks();
const corpus = await loadCorpus({ text: rhyme.slice(0, 100) });
const loader = (steps = 4) => new ConsecutiveLoader(corpus, { batchSize: 2, steps, seed: 7 });
const none = { held: 0, captured: 0, replayed: 0, eager: 0, refused: 0 };
afterEach(() => manualSeed(1));

/** Runs `body` on a device of its own, without graphs and with them, and returns how the steps went with them. */
async function bothWays(body: (on: Device) => unknown): Promise<DeviceGraphs> {
  const shared = defaultDevice();
  const results: unknown[] = [];
  let graphs: DeviceGraphs = none;
  for (const cudaGraphs of [false, true]) {
    using on = device(kind, { threads: 1, cudaGraphs });
    setDefaultDevice(on);
    manualSeed(3);
    try {
      results.push(await body(on));
      if (!on.isClosed) await on.synchronize();
      graphs = on.isClosed ? none : on.graphs();
      expect(on.usesGraphs).toBe(cudaGraphs && kind === 'cuda');
      if (!on.usesGraphs) expect(graphs).toEqual(none);
    } finally {
      setDefaultDevice(shared);
    }
  }
  expect(results[1]).toEqual(results[0]);
  return graphs;
}

/** On a GPU: how many steps there were, and at least how many of them were replayed. */
function expectReplays(graphs: DeviceGraphs, steps: number, replayed: number): void {
  if (kind !== 'cuda') return;
  expect(graphs.refused).toBe(0);
  expect(graphs.replayed + graphs.eager).toBe(steps);
  expect(graphs.replayed).toBeGreaterThanOrEqual(replayed);
  if (replayed === 0) expect(graphs.replayed).toBe(0);
}

const weightsOf = async (model: Module) =>
  new Map([...(await model.stateDict())].map(([name, { data }]) => [name, data]));

/** The loss of each step, and the weights at the end. */
async function train(
  model: LanguageModel,
  optimizer: Optimizer,
  options: Partial<TrainerOptions<LanguageModel, SequenceBatch>> = {},
) {
  const losses: number[] = [];
  const callbacks = { onStep: ({ loss }: { loss: number }) => void losses.push(loss) };
  const trainer = new Trainer<LanguageModel, SequenceBatch>(model, { optimizer, callbacks, ...options });
  const validation: (number | undefined)[] = [];
  for await (const epoch of trainer.fit(loader(), { epochs: 3, validation: loader(4) })) {
    validation.push(epoch.validation?.loss);
  }
  return { losses, validation, weights: await weightsOf(model) };
}

const lstm = (options = {}) =>
  new LanguageModel(new DeepLSTM({ hiddenSize: 4, ...options }), { vocabulary: corpus.vocabulary });

describe('a trainer', () => {
  test('replays the steps of SGD with clipping, and those of the validation', async () => {
    let steps = 0;
    const graphs = await bothWays(async () => {
      const result = await train(lstm(), new SGD({ learningRate: 1, momentum: 0.5 }), { clipNorm: 1, clipValue: 0.5 });
      steps = 2 * result.losses.length;
      return result;
    });
    // New for each of the four kinds (the first of an epoch starts without a state; training, validation) are three steps.
    expectReplays(graphs, steps, steps / 2);
    expect(graphs.held).toBeLessThanOrEqual(32);
  });

  test('replays while the learning rate changes and Adam counts', async () => {
    const graphs = await bothWays(() => {
      const optimizer = new Adam({ learningRate: 0.01, weightDecay: 0.1 });
      const schedule = new CosineAnnealingLR(optimizer, { steps: 40 });
      return train(lstm(), optimizer, { schedule, scheduleEvery: 'step' });
    });
    if (kind === 'cuda') expect(graphs.replayed).toBeGreaterThan(graphs.eager);
  });

  test('draws other masks in each step, between layers and elsewhere', async () => {
    const graphs = await bothWays(() => {
      const rnn = new DeepGRU({ hiddenSize: 4, layers: 2, dropout: 0.5 });
      const model = new LanguageModel(rnn, { vocabulary: corpus.vocabulary, embedding: 4, tied: true, dropout: 0.5 });
      return train(model, new SGD({ learningRate: 0.5 }));
    });
    if (kind === 'cuda') expect(graphs.replayed).toBeGreaterThan(graphs.eager / 2);
  });
});

describe('graphed', () => {
  const step = (model: LanguageModel, optimizer: Optimizer, batches: readonly SequenceBatch[]) =>
    graphed(() =>
      scope(() => {
        optimizer.zeroGrad();
        const losses = batches.map((batch) => nextTokenLoss(model, batch).loss);
        for (const loss of losses) backward(loss);
        clipGradNorm(model, 1);
        optimizer.step();
        return losses.at(-1)!.detach();
      }),
    );
  const batches = (steps: number, count: number) => [...loader(steps)].slice(0, count) as SequenceBatch[];
  const read = async (loss: Tensor) => {
    const value = await loss.item();
    loss.dispose();
    return value;
  };

  test('draws masks that change with each replay and repeat with the seed', async () => {
    const graphs = await bothWays(async () => {
      const masks: string[] = [];
      for (let i = 0; i < 6; ++i) {
        const mask = graphed(() => scope(() => dropout(ones([40]), 0.5)));
        masks.push((await mask.data()).join());
        mask.dispose();
      }
      expect(new Set(masks).size).toBe(6);
      return masks;
    });
    expectReplays(graphs, 6, 4);
  });

  test('sends steps of other shapes as they are, and finds the former again', async () => {
    const graphs = await bothWays(async () => {
      using model = lstm();
      using optimizer = new SGD({ learningRate: 1 }).attach(model);
      const [usual] = batches(4, 1);
      const losses: number[] = [];
      for (let i = 0; i < 12; ++i) {
        const [batch] = i % 4 === 2 ? batches(i === 6 ? 3 : 2, 1) : [usual];
        losses.push(await read(step(model, optimizer, [batch])));
      }
      return [losses, await weightsOf(model)];
    });
    expectReplays(graphs, 12, 2);
  });

  test('replays accumulated gradients', async () => {
    const graphs = await bothWays(async () => {
      using model = lstm({ layers: 2 });
      using optimizer = new SGD({ learningRate: 1 }).attach(model);
      const losses: number[] = [];
      for (let i = 0; i < 6; ++i) losses.push(await read(step(model, optimizer, batches(4, 3))));
      return [losses, await weightsOf(model)];
    });
    expectReplays(graphs, 6, 3);
  });

  test('does not replay two passes that each want masks of their own between the layers of one stack', async () => {
    const graphs = await bothWays(async () => {
      using model = lstm({ layers: 2, dropout: 0.5 });
      using optimizer = new SGD({ learningRate: 1 }).attach(model);
      const losses: number[] = [];
      for (let i = 0; i < 5; ++i) losses.push(await read(step(model, optimizer, batches(4, 2))));
      return [losses, await weightsOf(model)];
    });
    expectReplays(graphs, 5, 0);
  });

  test('does not replay passes over unequal lengths', async () => {
    const graphs = await bothWays(async () => {
      using rnn = new DeepGRU({ inputSize: 3, hiddenSize: 3 });
      const outputs: unknown[] = [];
      for (let i = 0; i < 5; ++i) {
        const y = graphed(() => scope(() => rnn.forward(ones([4, 2, 3]), { lengths: [4, 2] }).output));
        outputs.push(await y.data());
        y.dispose();
      }
      return outputs;
    });
    expectReplays(graphs, 5, 0);
  });

  test('keeps to the memory that a step is given', async () => {
    const graphs = await bothWays(async () => {
      using model = lstm();
      using optimizer = new Adam().attach(model);
      const held: Tensor[] = [];
      const losses: number[] = [];
      for (let i = 0; i < 16; ++i) {
        // Other blocks are free in each of the first steps, then the same again.
        if (i < 8) held.push(randn([1 + i]), randn([100 * i + 1]));
        if (i === 8) for (const one of held.splice(0)) one.dispose();
        losses.push(await read(step(model, optimizer, batches(4, 1))));
      }
      return [losses, await weightsOf(model)];
    });
    expectReplays(graphs, 16, 4);
  });

  test('reports a wrong index of a replayed step, and goes on after clearError', async () => {
    await bothWays(async (on) => {
      using model = new LanguageModel(new DeepLSTM({ hiddenSize: 4 }), { vocabulary: corpus.vocabulary, embedding: 3 });
      using optimizer = new SGD({ learningRate: 0.1 }).attach(model);
      const [batch] = batches(4, 1);
      for (let i = 0; i < 5; ++i) await read(step(model, optimizer, [batch]));
      const wrong = { ...batch, y: batch.y.map((token, i) => (i === 3 ? 999 : token)) };
      const loss = step(model, optimizer, [wrong]);
      const failure = await loss.item().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(DeviceError);
      expect((failure as Error).message).toMatch(/target 999 outside 0\.\.\d+ at row 3/);
      loss.dispose();
      on.clearError();
      await on.synchronize();
      const before = on.graphs();
      using y = graphed(() => scope(() => ones([3]).add(1)));
      expect([...(await y.data())]).toEqual([2, 2, 2]);
      if (on.usesGraphs) expect(before.replayed).toBeGreaterThan(0);
    });
  });

  test('brings more data than there was room for', async () => {
    const graphs = await bothWays(async () => {
      const sums: number[] = [];
      for (let i = 0; i < 5; ++i) {
        const sum = graphed(() => scope(() => tensor(new Float32Array(200_000).fill(i)).sum()));
        sums.push(await read(sum));
      }
      return sums;
    });
    expectReplays(graphs, 5, 2);
  });

  test('counts constants that change as other steps', async () => {
    const graphs = await bothWays(async () => {
      const values: number[] = [];
      for (let i = 0; i < 40; ++i) values.push(await read(graphed(() => scope(() => ones([]).mul(i)))));
      return values;
    });
    expectReplays(graphs, 40, 0);
    expect(graphs.held).toBe(0);
  });

  test('sends what comes before a read within the step', async () => {
    const graphs = await bothWays(async () => {
      const values: number[] = [];
      for (let i = 0; i < 4; ++i) {
        values.push(
          await graphed(() =>
            scope(() => {
              const x = ones([2]).mul(3);
              const sum = x.sum().item();
              x.add(1);
              return sum;
            }),
          ),
        );
      }
      return values;
    });
    expectReplays(graphs, 4, 0);
  });

  test('is one step with those inside, and lets errors through', async () => {
    const graphs = await bothWays(async () => {
      const add = () => graphed(() => scope(() => ones([2]).add(1)));
      for (let i = 0; i < 4; ++i) {
        const [a, b] = graphed(() => [add(), add()]);
        expect([...(await a.data()), ...(await b.data())]).toEqual([2, 2, 2, 2]);
        a.dispose();
        b.dispose();
      }
      expect(() =>
        graphed(() => {
          throw new RangeError('from the body');
        }),
      ).toThrow(RangeError);
      expect(() => graphed(async () => 1)).toThrow(ArgumentError);
      expect(() => graphed(3 as never)).toThrow(ArgumentError);
    });
    if (kind === 'cuda') expect(graphs).toMatchObject({ captured: 1, replayed: 2 });
  });

  test('ends with its device, in whatever state', async () => {
    await bothWays(async (on) => {
      for (let i = 0; i < 4; ++i) await read(graphed(() => scope(() => zeros([2]).sum())));
      graphed(() => {
        zeros([4]);
        on.close();
      });
      expect(() => on.graphs()).toThrow(DeviceError);
    });
    expect(() => graphed(() => 1, device(kind, { cudaGraphs: 1 as never }))).toThrow(ArgumentError);
    const before = process.env.DEEP_RNN_CUDA_GRAPHS;
    process.env.DEEP_RNN_CUDA_GRAPHS = '0';
    try {
      using off = device(kind);
      expect(off.usesGraphs).toBe(false);
    } finally {
      if (before === undefined) delete process.env.DEEP_RNN_CUDA_GRAPHS;
      else process.env.DEEP_RNN_CUDA_GRAPHS = before;
    }
  });
});
