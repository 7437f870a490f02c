/**
 * What a process does until its first training step is finished: run by bench/system.ts, which takes its time from outside.
 *
 * The headline as a user writes it, with nothing imported but the library.
 */
const now = () => Number(process.hrtime.bigint()) / 1e6;

const imported = now();
const node = process.uptime() * 1000;
const { DeepLSTM, LanguageModel, SGD, Trainer, Vocabulary, defaultDevice } = await import('deep-rnn');
const opening = now();
defaultDevice();
const building = now();
const vocabulary = new Vocabulary([...'abcdefghijklmnopqrstuvwxyz ']);
const model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 256 }), { vocabulary });
const trainer = new Trainer(model, { optimizer: new SGD({ learningRate: 1 }), clipNorm: 1 });
const training = now();
const tokens = (first: number) => Int32Array.from({ length: 35 * 32 }, (_, i) => (first + i * 7919) % vocabulary.size);
const loader = [{ x: tokens(0), y: tokens(1), steps: 35, batchSize: 32 }];
const count = Number(process.argv[2] ?? 1);
for await (const _ of trainer.fit(loader, { epochs: count }));
// On the system's clock, which the starting process reads too.
const finished = now();
const milliseconds = {
  node,
  import: opening - imported,
  device: building - opening,
  model: training - building,
  step: finished - training,
};
console.log(JSON.stringify({ finished, milliseconds, peakResident: process.resourceUsage().maxRSS * 1024 }));
process.exit(0);
