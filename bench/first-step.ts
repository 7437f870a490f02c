/** What a process does until its first training step is finished: run by bench/system.ts, which takes its time from outside. */
import { performance } from 'node:perf_hooks';

const imported = performance.now();
const { DeepLSTM, LanguageModel, SGD, Trainer, defaultDevice } = await import('deep-rnn');
const { alphabet, tokensOf } = await import('#bench/ours');
const { HEADLINE } = await import('#bench/workload');
const opening = performance.now();
defaultDevice();
const building = performance.now();
const { layers, hidden: hiddenSize, steps, batch: batchSize, vocabulary } = HEADLINE;
const model = new LanguageModel(new DeepLSTM({ layers, hiddenSize }), { vocabulary: alphabet(vocabulary) });
const trainer = new Trainer(model, { optimizer: new SGD({ learningRate: 1 }), clipNorm: 1 });
const training = performance.now();
const loader = [{ ...tokensOf(HEADLINE), steps, batchSize }];
const count = Number(process.argv[2] ?? 1);
for await (const _ of trainer.fit(loader, { epochs: count }));
const done = performance.now();
const milliseconds = {
  node: imported,
  import: opening - imported,
  device: building - opening,
  model: training - building,
  step: done - training,
};
console.log(JSON.stringify({ milliseconds, peakResident: process.resourceUsage().maxRSS * 1024 }));
process.exit(0);
