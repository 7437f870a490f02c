// A program whose calls of NVIDIA's libraries calls.test.ts counts: `steps.mjs train STEPS DROPOUT` or `steps.mjs generate TIMES`.
import {
  ConsecutiveLoader,
  DeepLSTM,
  defaultDevice,
  LanguageModel,
  loadCorpus,
  manualSeed,
  SGD,
  Trainer,
} from '../../dist/index.js';

const [what, count, dropout = 0] = process.argv.slice(2);
manualSeed(5);
const corpus = await loadCorpus({ text: 'the wheels on the bus go round and round '.repeat(60) });
const stack = new DeepLSTM({ layers: 2, hiddenSize: 8, dropout: Number(dropout) });
const model = new LanguageModel(stack, { vocabulary: corpus.vocabulary });
if (what === 'train') {
  const trainer = new Trainer(model, {
    optimizer: new SGD({ learningRate: 1 }),
    clipNorm: 1,
    // A loss that somebody is told of is read by itself, so that the reads do not depend on how long steps take.
    callbacks: { onStep() {} },
  });
  const batches = [...new ConsecutiveLoader(corpus, { batchSize: 4, steps: 6, seed: 1 })].slice(0, Number(count));
  const loader = { consecutive: true, [Symbol.iterator]: () => batches[Symbol.iterator]() };
  for await (const epoch of trainer.fit(loader, { epochs: 1 })) console.log(epoch.steps);
} else {
  for (let i = 0; i < Number(count); i++) console.log(await model.generate('the', { length: 10 }));
}
defaultDevice().close();
