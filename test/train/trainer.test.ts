import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadCorpus } from '../../src/data/corpus.js';
import { ConsecutiveLoader, RandomLoader, type SequenceBatch } from '../../src/data/loaders.js';
import { defaultDevice } from '../../src/device.js';
import { ArgumentError, DeepRnnError } from '../../src/errors.js';
import { LanguageModel } from '../../src/models/language-model.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import { Module } from '../../src/nn/module.js';
import { parameter } from '../../src/nn/parameters.js';
import { detachState, type RecurrentState } from '../../src/nn/state.js';
import { crossEntropy, ones, tensor } from '../../src/ops/index.js';
import { clipGradNorm } from '../../src/optim/clip.js';
import { ReduceLROnPlateau, StepLR } from '../../src/optim/schedules.js';
import { SGD } from '../../src/optim/sgd.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import type { Epoch } from '../../src/train/metrics.js';
import { type CarriedState, type LossResult, Pace, pass } from '../../src/train/pass.js';
import { Trainer } from '../../src/train/trainer.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { rhyme } from '../helpers/texts.js';

const cpu = expectNoLeaks();
const buffers = () => cpu.memory().buffers;
const open: Disposable[] = [];
beforeEach(() => {
  manualSeed(1);
});
afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});
function opened<T extends Disposable>(one: T): T {
  open.push(one);
  return one;
}

const corpus = await loadCorpus({ text: rhyme });
const loaderOf = (options = {}) => new ConsecutiveLoader(corpus, { batchSize: 4, steps: 20, seed: 7, ...options });

function languageModel(hiddenSize = 24, dropout = 0): LanguageModel {
  const rnn = new DeepGRU({ hiddenSize, layers: 2, dropout });
  return opened(new LanguageModel(rnn, { vocabulary: corpus.vocabulary, dropout }));
}

/** loss = weight · batch: its gradient is the batch, and every number can be worked out by hand. */
class Line extends Module {
  readonly weight = scope(() => parameter(ones([1])));
  forward(x: number): Tensor {
    return this.weight.mul(x).sum();
  }
}
const lineLoss = (model: Line, batch: number): LossResult => ({ loss: model.forward(batch), count: 1 });
const sgd = (learningRate: number) => opened(new SGD({ learningRate }));

async function collect(epochs: AsyncIterable<Epoch>): Promise<Epoch[]> {
  const collected: Epoch[] = [];
  for await (const epoch of epochs) collected.push(epoch);
  return collected;
}

describe('numbers', () => {
  test('a small model learns a rhyme', async () => {
    const model = languageModel();
    const trainer = new Trainer(model, { optimizer: sgd(2), clipNorm: 1 });
    const epochs = await collect(trainer.fit(loaderOf(), { epochs: 60 }));
    expect(epochs.map(({ number }) => number)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    expect(epochs[0].perplexity).toBeGreaterThan(5);
    expect(epochs[59].perplexity).toBeLessThan(1.5);
    for (const epoch of epochs) {
      expect(epoch.perplexity).toBe(Math.exp(epoch.loss));
      expect(epoch.tokens).toBe(epoch.tokens - (epoch.tokens % 80));
      expect(epoch.tokensPerSecond).toBeCloseTo(epoch.tokens / epoch.seconds, 6);
      expect(epoch.complete).toBe(true);
      expect(epoch.learningRate).toBe(2);
    }
    expect(epochs[0].steadyTokensPerSecond).toBe(epochs[0].tokensPerSecond);
    const later = epochs.slice(1);
    const total = (of: 'tokens' | 'seconds') => later.reduce((sum, epoch) => sum + epoch[of], 0);
    expect(epochs[59].steadyTokensPerSecond).toBeCloseTo(total('tokens') / total('seconds'), 3);
  });

  test('equals the loop written by hand: state carried and detached, clipping, update', async () => {
    const steps: number[] = [];
    manualSeed(3);
    const trained = opened(new LanguageModel(new DeepLSTM({ hiddenSize: 16 }), { vocabulary: corpus.vocabulary }));
    const trainer = new Trainer(trained, {
      optimizer: sgd(1),
      clipNorm: 0.5,
      callbacks: { onStep: ({ loss }) => steps.push(loss) },
    });
    await collect(trainer.fit(loaderOf(), { epochs: 3 }));

    manualSeed(3);
    const model = opened(new LanguageModel(new DeepLSTM({ hiddenSize: 16 }), { vocabulary: corpus.vocabulary }));
    const optimizer = sgd(1).attach(model);
    const losses: number[] = [];
    const loader = loaderOf();
    for (let epoch = 0; epoch < 3; ++epoch) {
      let state: RecurrentState | undefined;
      for (const { x, y } of loader) {
        const next = scope(() => {
          model.zeroGrad();
          const shape = [20, 4];
          const result = model.forward(tensor(x, { shape }), state);
          const loss = crossEntropy(result.logits, tensor(y, { shape }));
          backward(loss);
          clipGradNorm(model, 0.5);
          optimizer.step();
          return { loss: loss.item(), state: detachState(result.state) };
        });
        state?.h.dispose();
        state?.c?.dispose();
        state = next.state;
        losses.push(await next.loss);
      }
      state?.h.dispose();
      state?.c?.dispose();
    }
    expect(steps).toEqual(losses);
    const values = (of: LanguageModel) => Promise.all(of.parameters().map((one) => one.data()));
    expect(await values(trained)).toEqual(await values(model));
  });

  test('the mean is weighted by tokens', async () => {
    const model = opened(new Line());
    const trainer = new Trainer<Line, number>(model, {
      optimizer: sgd(0),
      loss: (line, batch) => ({ loss: line.forward(batch), count: batch }),
    });
    const [epoch] = await collect(trainer.fit([1, 2, 3], { epochs: 1 }));
    expect(epoch.loss).toBeCloseTo((1 + 4 + 9) / 6, 6);
    expect(epoch.tokens).toBe(6);
  });

  test('clipping by norm and by value', async () => {
    const weightAfter = async (options: object) => {
      const model = opened(new Line());
      const trainer = new Trainer<Line, number>(model, { optimizer: sgd(0.1), loss: lineLoss, ...options });
      await collect(trainer.fit([10], { epochs: 1 }));
      return (await model.weight.data())[0];
    };
    expect(await weightAfter({})).toBeCloseTo(0, 6);
    expect(await weightAfter({ clipNorm: 2 })).toBeCloseTo(0.8, 6);
    expect(await weightAfter({ clipValue: 3 })).toBeCloseTo(0.7, 6);
    expect(await weightAfter({ clipNorm: 20, clipValue: 30 })).toBeCloseTo(0, 6);
  });

  test('schedules move by epoch or by step', async () => {
    const rates = async (scheduleEvery: 'epoch' | 'step') => {
      const optimizer = sgd(1);
      const schedule = new StepLR(optimizer, { stepSize: 2, gamma: 0.5 });
      const trainer = new Trainer<Line, number>(opened(new Line()), {
        optimizer,
        schedule,
        scheduleEvery,
        loss: lineLoss,
      });
      return (await collect(trainer.fit([1, 1], { epochs: 4 }))).map(({ learningRate }) => learningRate);
    };
    expect(await rates('epoch')).toEqual([1, 1, 0.5, 0.5]);
    expect(await rates('step')).toEqual([1, 0.5, 0.25, 0.125]);
  });

  test('a plateau is looked for in the validation loss', async () => {
    const optimizer = sgd(1);
    const schedule = new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5 });
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer, schedule, loss: lineLoss });
    // The training loss falls for ever; the validation loss, of the opposite sign, rises.
    const epochs = await collect(trainer.fit([1], { epochs: 4, validation: [-1] }));
    expect(epochs.map(({ learningRate }) => learningRate)).toEqual([1, 1, 0.5, 0.25]);
  });
});

describe('state', () => {
  /** Returns how many minibatches the state has come through, as a tensor that depends on the weight. */
  function countingLoss(seen: (Tensor | undefined)[]) {
    return (model: Line, batch: number, state: CarriedState): LossResult => {
      const { count } = (state ?? {}) as { count?: [Tensor] };
      seen.push(count?.[0]);
      if (count !== undefined) {
        expect(count[0].node).toBeNull();
        expect(count[0].requiresGrad).toBe(false);
      }
      const next = model.weight.mul(0).add(count === undefined ? 1 : count[0].add(1));
      return { loss: model.forward(batch), count: 1, state: { count: [next], nothing: null } };
    };
  }

  test('is carried within an epoch and starts anew with the next', async () => {
    const seen: (Tensor | undefined)[] = [];
    const values: Promise<number>[] = [];
    const loss = countingLoss(seen);
    const trainer = new Trainer<Line, number>(opened(new Line()), {
      optimizer: sgd(0.1),
      loss: (model, batch, state) => {
        const result = loss(model, batch, state);
        values.push((result.state as { count: [Tensor] }).count[0].item());
        return result;
      },
    });
    await collect(trainer.fit(Object.assign([1, 1, 1], { consecutive: true }), { epochs: 2 }));
    expect(await Promise.all(values)).toEqual([1, 2, 3, 1, 2, 3]);
    expect(seen.map((state) => state === undefined)).toEqual([true, false, false, true, false, false]);
    for (const state of seen) if (state) expect(state.isDisposed).toBe(true);
  });

  test('starts anew with every minibatch of a loader that is not consecutive', async () => {
    const seen: (Tensor | undefined)[] = [];
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(0.1), loss: countingLoss(seen) });
    await collect(trainer.fit([1, 1, 1], { epochs: 1 }));
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  test('random partitioning trains too', async () => {
    const trainer = new Trainer(languageModel(), { optimizer: sgd(2), clipNorm: 1 });
    const loader = new RandomLoader(corpus, { batchSize: 4, steps: 20, seed: 1 });
    const epochs = await collect(trainer.fit(loader, { epochs: 30 }));
    expect(epochs[29].perplexity).toBeLessThan(0.5 * epochs[0].perplexity);
  });
});

describe('the course of events', () => {
  test('each loss is read while the next step is queued', async () => {
    const events: string[] = [];
    function* batches() {
      for (const batch of [1, 2, 3]) {
        events.push(`batch ${batch}`);
        yield batch;
      }
    }
    const loader = { [Symbol.iterator]: batches };
    const trainer = new Trainer<Line, number>(opened(new Line()), {
      optimizer: sgd(0.1),
      loss: lineLoss,
      callbacks: [
        { onStep: ({ epoch, number, tokens }) => events.push(`step ${epoch}.${number} of ${tokens}`) },
        {
          async onEpoch({ number }) {
            await new Promise((resolve) => setImmediate(resolve));
            events.push(`callback ${number}`);
          },
        },
      ],
    });
    for await (const { number } of trainer.fit(loader, { epochs: 2 })) events.push(`epoch ${number}`);
    const epoch = (number: number) => [
      'batch 1',
      'batch 2',
      `step ${number}.1 of 1`,
      'batch 3',
      `step ${number}.2 of 1`,
      `step ${number}.3 of 1`,
      `callback ${number}`,
      `epoch ${number}`,
    ];
    expect(events).toEqual([...epoch(1), ...epoch(2)]);
  });

  test('losses that nobody waits for are read several at a time', async () => {
    const model = opened(new Line());
    const pace = Object.assign(new Pace(), { together: 2, observe: () => undefined });
    const events: string[] = [];
    const step = (batch: number) => {
      events.push(`batch ${batch}`);
      return lineLoss(model, batch);
    };
    const { mean } = await pass([1, 2, 3, 4, 5], step, { pace, onLoss: (loss) => events.push(`loss ${loss}`) });
    const [first, second, rest] = [
      ['batch 1', 'batch 2', 'batch 3', 'loss 1', 'loss 2'],
      ['batch 4', 'batch 5', 'loss 3', 'loss 4'],
      ['loss 5'],
    ];
    expect(events).toEqual([...first, ...second, ...rest]);
    expect(mean.result().loss).toBe(3);
  });

  test('the more quickly steps come, the more losses are read together', () => {
    const pace = new Pace();
    const observed = (milliseconds: number, count: number) => {
      pace.observe(milliseconds, count);
      return pace.together;
    };
    expect([pace.together, observed(50, 1), observed(80, 4), observed(0, 1), observed(400, 1)]).toEqual([
      1, 3, 7, 8, 1,
    ]);
  });

  test('the event loop turns while an epoch is trained', async () => {
    let turns = 0;
    let running = true;
    const turn = () => {
      turns += 1;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    const trainer = new Trainer(languageModel(64), { optimizer: sgd(1), clipNorm: 1 });
    const iterator = trainer.fit(loaderOf(), { epochs: 1 });
    await iterator.next();
    running = false;
    await iterator.return();
    expect(turns).toBeGreaterThan([...loaderOf()].length);
  });

  test('loaders may be asynchronous', async () => {
    async function* batches() {
      for (const batch of [1, 2]) yield batch;
    }
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(0.1), loss: lineLoss });
    const epochs = await collect(trainer.fit({ [Symbol.asyncIterator]: batches }, { epochs: 2 }));
    expect(epochs.map(({ tokens }) => tokens)).toEqual([2, 2]);
  });

  test('leaving the loop ends the training', async () => {
    const trainer = new Trainer(languageModel(), { optimizer: sgd(1), clipNorm: 1 });
    for await (const { number } of trainer.fit(loaderOf(), { epochs: 5 })) if (number === 2) break;
    const [again] = await collect(trainer.fit(loaderOf(), { epochs: 1 }));
    expect(again.number).toBe(1);
  });

  test('buffers do not grow from epoch to epoch', async () => {
    const trainer = new Trainer(languageModel(), { optimizer: sgd(1), clipNorm: 1 });
    const counts: number[] = [];
    for await (const _ of trainer.fit(loaderOf(), { epochs: 5, validation: loaderOf() })) counts.push(buffers());
    expect(new Set(counts).size).toBe(1);
  });
});

describe('validation', () => {
  test('is measured after the epoch, without training and dropout', async () => {
    const model = languageModel(24, 0.5);
    const trainer = new Trainer(model, { optimizer: sgd(1), clipNorm: 1 });
    const held = loaderOf({ randomOffset: false });
    const [epoch] = await collect(trainer.fit(loaderOf(), { epochs: 1, validation: held }));
    expect(model.training).toBe(true);
    expect(await trainer.evaluate(held)).toEqual(epoch.validation);
    expect(epoch.validation!.perplexity).toBe(Math.exp(epoch.validation!.loss));

    model.eval();
    let sum = 0;
    let state: RecurrentState | undefined;
    for (const { x, y } of held) {
      const next = scope(() => {
        const result = model.forward(tensor(x, { shape: [20, 4] }), state);
        const loss = crossEntropy(result.logits, tensor(y, { shape: [20, 4] }));
        return { loss: loss.item(), state: detachState(result.state) };
      });
      state?.h.dispose();
      state = next.state;
      sum += await next.loss;
    }
    state?.h.dispose();
    expect(epoch.validation!.loss).toBeCloseTo(sum / [...held].length, 6);
    await trainer.evaluate(held);
    expect(model.training).toBe(false);
  });

  test('an empty one is an error', async () => {
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(1), loss: lineLoss });
    await expect(collect(trainer.fit([1], { epochs: 1, validation: [] }))).rejects.toThrow(
      'no minibatch to evaluate on',
    );
  });
});

describe('ending early', () => {
  test('a signal ends the training after the step under way', async () => {
    const controller = new AbortController();
    let given = 0;
    function* batches() {
      for (; ; given += 1) yield 1;
    }
    const trainer = new Trainer<Line, number>(opened(new Line()), {
      optimizer: sgd(0.1),
      loss: lineLoss,
      callbacks: { onStep: ({ number }) => void (number === 3 && controller.abort()) },
    });
    const loader = { [Symbol.iterator]: batches };
    const epochs = await collect(trainer.fit(loader, { epochs: 5, validation: [1], signal: controller.signal }));
    expect(epochs).toHaveLength(1);
    expect(epochs[0]).toMatchObject({ number: 1, complete: false, tokens: 4 });
    expect(epochs[0].validation).toBeUndefined();
    // Step 4 was under way when step 3 was told.
    expect(given).toBe(4);
  });

  test('between epochs nothing is half done', async () => {
    const controller = new AbortController();
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(0.1), loss: lineLoss });
    const numbers: number[] = [];
    for await (const { number, complete } of trainer.fit([1, 1], { epochs: 9, signal: controller.signal })) {
      numbers.push(number);
      expect(complete).toBe(true);
      if (number === 2) controller.abort();
    }
    expect(numbers).toEqual([1, 2]);
    expect(await collect(trainer.fit([1], { epochs: 1, signal: controller.signal }))).toEqual([]);
  });

  test('during validation the epoch is reported without it', async () => {
    const controller = new AbortController();
    const held = {
      *[Symbol.iterator]() {
        yield 1;
        controller.abort();
        yield 1;
      },
    };
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(0.1), loss: lineLoss });
    const epochs = await collect(trainer.fit([1], { epochs: 3, validation: held, signal: controller.signal }));
    expect(epochs).toHaveLength(1);
    expect(epochs[0].complete).toBe(true);
    expect(epochs[0].validation).toBeUndefined();
  });

  test('a loss that is not finite names epoch and step', async () => {
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(1e38), loss: lineLoss });
    const failure = collect(trainer.fit([1, 1e10, 1], { epochs: 1 }));
    await expect(failure).rejects.toThrow(DeepRnnError);
    await expect(failure).rejects.toThrow(/The loss became -?(Infinity|NaN) in epoch 1, step \d/);
  });

  test('what a callback, a loader or a loss function throws comes out of the loop', async () => {
    const trainerWith = (options: object) =>
      new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(0.1), loss: lineLoss, ...options });
    const thrower = (message: string) => () => {
      throw new Error(message);
    };
    const step = trainerWith({ callbacks: { onStep: thrower('from onStep') } });
    await expect(collect(step.fit([1, 2], { epochs: 1 }))).rejects.toThrow('from onStep');
    const epoch = trainerWith({ callbacks: { onEpoch: async () => thrower('from onEpoch')() } });
    await expect(collect(epoch.fit([1, 2], { epochs: 1 }))).rejects.toThrow('from onEpoch');
    const loader = { [Symbol.iterator]: thrower('from the loader') as never };
    await expect(collect(trainerWith({}).fit(loader, { epochs: 1 }))).rejects.toThrow('from the loader');
    const loss = trainerWith({ loss: thrower('from the loss') });
    await expect(collect(loss.fit([1], { epochs: 1 }))).rejects.toThrow('from the loss');
  });

  test('an epoch without minibatches is an error', async () => {
    const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(0.1), loss: lineLoss });
    await expect(collect(trainer.fit([], { epochs: 1 }))).rejects.toThrow('no minibatch in epoch 1');
    function* once() {
      yield 1;
    }
    await expect(collect(trainer.fit(once(), { epochs: 2 }))).rejects.toThrow('no minibatch in epoch 2');
  });
});

describe('misuse', () => {
  test('is named before anything runs', () => {
    const model = opened(new Line());
    const optimizer = sgd(0.1);
    const wrong = (options: object) => () => new Trainer<Line, number>(model, { optimizer, ...options });
    expect(() => new Trainer({} as never, { optimizer })).toThrow('Expected a Module for model');
    expect(wrong({ optimizer: {} })).toThrow('Expected an Optimizer for optimizer');
    expect(wrong({ clipNorm: Number.NaN })).toThrow(ArgumentError);
    expect(wrong({ clipNorm: 0 })).toThrow(ArgumentError);
    expect(wrong({ clipValue: -1 })).toThrow(ArgumentError);
    expect(wrong({ loss: 3 })).toThrow('Expected a function for loss');
    expect(wrong({ scheduleEvery: 'batch' })).toThrow(ArgumentError);
    expect(wrong({ clipnorm: 1 })).toThrow("did you mean 'clipNorm'");
    const trainer = new Trainer<Line, number>(model, { optimizer, loss: lineLoss });
    expect(() => trainer.fit(7 as never, { epochs: 1 })).toThrow('Expected an iterable of minibatches for loader');
    for (const epochs of [0, -1, 1.5, Number.NaN, '3']) {
      expect(() => trainer.fit([1], { epochs: epochs as number })).toThrow(ArgumentError);
    }
    expect(() => trainer.fit([1], { epochs: 1, signal: {} as never })).toThrow('Expected an AbortSignal for signal');
  });

  test('a loss function that returns something else', async () => {
    const fitWith = (result: unknown) => {
      const loss = () => result as LossResult;
      const trainer = new Trainer<Line, number>(opened(new Line()), { optimizer: sgd(0.1), loss });
      return trainer.evaluate([1]);
    };
    await expect(fitWith(undefined)).rejects.toThrow('Expected { loss: a tensor, count } for the result of loss');
    await expect(fitWith({ loss: 3, count: 1 })).rejects.toThrow(ArgumentError);
    const loss = opened(ones([]));
    await expect(fitWith({ loss, count: 0 })).rejects.toThrow('count in the result of loss');
    await expect(fitWith({ loss: opened(ones([2])), count: 1 })).rejects.toThrow('one element');
  });

  test('minibatches that the model does not know', async () => {
    const trainer = new Trainer(languageModel(), { optimizer: sgd(1) });
    const batch: SequenceBatch = { x: Int32Array.of(99), y: Int32Array.of(0), steps: 1, batchSize: 1 };
    await expect(trainer.evaluate([batch])).rejects.toThrow(DeepRnnError);
    defaultDevice().clearError();
  });
});
