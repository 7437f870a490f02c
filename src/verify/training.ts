/** Optimizers, training and generation on the GPU against the CPU. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConsecutiveLoader } from '../data/loaders.js';
import { Vocabulary } from '../data/vocabulary.js';
import { type Device, device } from '../device.js';
import type { FloatDType } from '../dtype.js';
import { LanguageModel } from '../models/language-model.js';
import { DeepGRU } from '../nn/gru.js';
import { Linear } from '../nn/linear.js';
import { DeepLSTM } from '../nn/lstm.js';
import type { RecurrentStack } from '../nn/recurrent.js';
import { DeepRNN } from '../nn/rnn.js';
import { mse, tensor } from '../ops/index.js';
import { Adagrad } from '../optim/adagrad.js';
import { Adam, AdamW } from '../optim/adam.js';
import { clipGradNorm, clipGradValue } from '../optim/clip.js';
import type { Optimizer } from '../optim/optimizer.js';
import { RMSprop } from '../optim/rmsprop.js';
import { SGD } from '../optim/sgd.js';
import { manualSeed } from '../random.js';
import { scope } from '../scope.js';
import { backward } from '../tape.js';
import { Trainer } from '../train/trainer.js';
import { values } from './both.js';
import { type Checks, Comparison, LeftOut } from './checks.js';

const OPTIMIZERS: Record<string, () => Optimizer> = {
  SGD: () => new SGD({ learningRate: 0.1, weightDecay: 0.01 }),
  'SGD with momentum': () => new SGD({ learningRate: 0.1, momentum: 0.9 }),
  'SGD with Nesterov momentum': () => new SGD({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
  Adam: () => new Adam({ learningRate: 0.01 }),
  AdamW: () => new AdamW({ learningRate: 0.01, weightDecay: 0.1 }),
  RMSprop: () => new RMSprop({ learningRate: 0.01 }),
  'RMSprop, centered, with momentum': () => new RMSprop({ learningRate: 0.01, centered: true, momentum: 0.5 }),
  Adagrad: () => new Adagrad({ learningRate: 0.1 }),
};

/** The weights of a linear layer after some steps, and the norms of its gradients. */
async function optimized(device: Device, dtype: FloatDType, make: () => Optimizer) {
  using model = new Linear({ inputs: 37, outputs: 19, device, dtype });
  for (const [i, parameter] of [...model.parameters()].entries())
    parameter.copyFrom(values(parameter.shape, dtype, 30 + i).data);
  using optimizer = make().attach(model);
  const norms: Promise<number>[] = [];
  for (let step = 0; step < 5; step++)
    scope(() => {
      const x = tensor(values([11, 37], dtype, 40 + step).data, { shape: [11, 37], device });
      const y = tensor(values([11, 19], dtype, 50 + step).data, { shape: [11, 19], device });
      optimizer.zeroGrad();
      backward(mse(model.forward(x), y));
      norms.push(clipGradNorm(model, 0.5).item() as Promise<number>);
      clipGradValue(model, 0.05);
      optimizer.step();
    });
  const weights = [...(await model.stateDict()).values()].map(({ data }) => data);
  return { weights, norms: await Promise.all(norms) };
}

/** Every optimizer over five steps, with clipping by norm and by value. */
export async function checkOptimizers(checks: Checks, [cpu, gpu]: [Device, Device]): Promise<void> {
  for (const [name, make] of Object.entries(OPTIMIZERS))
    for (const [dtype, tolerance] of [
      ['float32', 1e-5],
      ['float64', 1e-11],
    ] as const)
      await checks.check(`${name}, ${dtype}`, async () => {
        const expected = await optimized(cpu, dtype, make);
        const actual = await optimized(gpu, dtype, make);
        const comparison = new Comparison(tolerance);
        comparison.close('weights', actual.weights, expected.weights);
        comparison.close('norms', actual.norms, expected.norms);
        return comparison.toString();
      });
}

const TEXT = 'in a hole in the ground there lived a recurrent network, which is deep. ';
const vocabulary = new Vocabulary(TEXT);

const STACKS: Record<string, (device: Device) => RecurrentStack> = {
  RNN: (device) => new DeepRNN({ layers: 2, hiddenSize: 32, device }),
  GRU: (device) => new DeepGRU({ layers: 2, hiddenSize: 32, device }),
  LSTM: (device) => new DeepLSTM({ layers: 2, hiddenSize: 32, device }),
};

const DROPS = (device: Device) => new DeepLSTM({ layers: 2, hiddenSize: 32, dropout: 0.3, device });

function modelOn(device: Device, make: (device: Device) => RecurrentStack, embedding?: number): LanguageModel {
  const model = new LanguageModel(make(device), { vocabulary, embedding });
  for (const [i, parameter] of [...model.parameters()].entries())
    parameter.copyFrom(values(parameter.shape, parameter.dtype, 60 + i, -0.2, 0.2).data);
  return model;
}

/** Trains in place; the perplexity after each epoch. */
async function train(model: LanguageModel, epochs: number): Promise<number[]> {
  manualSeed(1);
  using optimizer = new Adam({ learningRate: 0.02 });
  const trainer = new Trainer(model, { optimizer, clipNorm: 1 });
  const ids = vocabulary.encode(TEXT.repeat(8));
  const perplexities: number[] = [];
  const loader = new ConsecutiveLoader(ids, { batchSize: 4, steps: 16, seed: 1 });
  for await (const epoch of trainer.fit(loader, { epochs })) perplexities.push(epoch.perplexity);
  return perplexities;
}

const PREFIX = 'in a hole';

/** Language models trained on both: the same losses, the same text, and a file that goes from one to the other. */
export async function checkTraining(checks: Checks, [cpu, gpu]: [Device, Device], quick: boolean): Promise<void> {
  for (const [name, make] of Object.entries(STACKS))
    for (const embedding of [undefined, 12])
      await checks.check(`${name}${embedding ? ', embedding' : ''}: losses of three epochs`, async () => {
        using expected = modelOn(cpu, make, embedding);
        using actual = modelOn(gpu, make, embedding);
        const comparison = new Comparison(1e-3);
        comparison.close('perplexity', await train(actual, 3), await train(expected, 3));
        return comparison.toString();
      });
  await checks.check('two runs on the GPU are equal bit for bit', async () => {
    const runs: unknown[] = [];
    for (let run = 0; run < 2; run++) {
      using model = modelOn(gpu, STACKS.LSTM);
      const perplexities = await train(model, 2);
      const weights = [...(await model.stateDict()).values()].map(({ data }) =>
        Buffer.from(data.buffer).toString('base64'),
      );
      runs.push(JSON.stringify([perplexities, weights]));
    }
    if (runs[0] !== runs[1]) throw new Error('they differ');
    return 'losses and weights';
  });
  await checks.check('steps with dropout are the same in CUDA graphs, bit for bit', async () => {
    const runs: number[][] = [];
    let replayed = 0;
    for (const cudaGraphs of [false, true]) {
      using own = device('cuda', { cudaGraphs });
      using model = modelOn(own, DROPS);
      runs.push(await train(model, 4));
      replayed = own.graphs().replayed;
    }
    if (replayed === 0) throw new LeftOut('no step could be replayed');
    if (String(runs[0]) !== String(runs[1]))
      throw new Error(`${runs[0].join(', ')} and in graphs ${runs[1].join(', ')}`);
    return `the losses of four epochs, ${replayed} steps replayed`;
  });
  await checks.check('learns the text by heart and recites it', async () => {
    using model = modelOn(gpu, STACKS.LSTM);
    const perplexity = (await train(model, quick ? 30 : 60)).at(-1) as number;
    const length = TEXT.length - PREFIX.length;
    const text = await model.generate(PREFIX, { length });
    if (text !== TEXT) throw new Error(`perplexity ${perplexity}, but it recites ${JSON.stringify(text)}`);
    return `perplexity ${perplexity.toFixed(3)}`;
  });
  await checks.check('a model trained on the GPU goes on on the CPU, and back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-verify-'));
    try {
      const path = join(folder, 'model.safetensors');
      using first = modelOn(gpu, STACKS.LSTM);
      await train(first, 2);
      await first.save(path);
      using onCpu = await LanguageModel.load(path, { device: cpu });
      using onGpu = await LanguageModel.load(path, { device: gpu });
      const comparison = new Comparison(1e-3);
      comparison.close('perplexity', await train(onGpu, 2), await train(onCpu, 2));
      await onCpu.save(path);
      using back = await LanguageModel.load(path, { device: gpu });
      comparison.close('perplexity after the way back', await train(back, 1), await train(onCpu, 1));
      return comparison.toString();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
  const double = (device: Device) => new DeepLSTM({ layers: 1, hiddenSize: 32, dtype: 'float64', device });
  for (const [name, options, make, embedding] of [
    ['the likeliest', {}, STACKS.GRU, 12],
    ['temperature', { temperature: 0.9, seed: 3 }, STACKS.GRU, 12],
    ['top-k', { temperature: 1, topK: 5, seed: 4 }, STACKS.LSTM, undefined],
    ['top-p', { temperature: 1, topP: 0.9, seed: 5 }, STACKS.RNN, 12],
    ['top-p, float64', { temperature: 1, topP: 0.9, seed: 6 }, double, undefined],
  ] as const)
    await checks.check(`generation, ${name}`, async () => {
      using onCpu = modelOn(cpu, make, embedding);
      using onGpu = modelOn(gpu, make, embedding);
      const [expected, actual] = await Promise.all(
        [onCpu, onGpu].map((model) => model.generate(PREFIX, { length: 40, ...options })),
      );
      if (actual !== expected) throw new Error(`${JSON.stringify(actual)} in place of ${JSON.stringify(expected)}`);
      return '40 equal tokens';
    });
}
