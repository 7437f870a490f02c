/**
 * `npm run bench:responsiveness`: what training D2L's deep LSTM does to the event loop and to memory.
 *
 * Prints the delay of the event loop (how late timers fire) and the resident memory at step 300 and at the end.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import {
  ConsecutiveLoader,
  DeepLSTM,
  defaultDevice,
  LanguageModel,
  manualSeed,
  nextSeed,
  normal,
  RandomSource,
  SGD,
  Trainer,
  Vocabulary,
} from 'deep-rnn';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '3000' },
    hidden: { type: 'string', default: '256' },
    json: { type: 'boolean', default: false },
  },
});
const steps = Number(options.steps);
const WARM_UP = Math.min(300, Math.floor(steps / 2));

manualSeed(1);
const vocabulary = new Vocabulary('abcdefghijklmnopqrstuvwxyz ');
const random = new RandomSource(nextSeed());
const ids = Int32Array.from({ length: 10_000 }, () => random.nextInteger(1, 27));
const loader = new ConsecutiveLoader(ids, { batchSize: 32, steps: 35 });
using model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: Number(options.hidden) }), { vocabulary });
model.initialize(normal(0.01));
using optimizer = new SGD({ learningRate: 2 });

const delay = monitorEventLoopDelay({ resolution: 1 });
const mebibytes = (bytes: number) => bytes / 2 ** 20;
const before = { resident: 0, buffers: 0 };
let done = 0;
const controller = new AbortController();
const trainer = new Trainer(model, {
  optimizer,
  clipNorm: 1,
  callbacks: {
    onStep() {
      if (++done === WARM_UP) {
        before.resident = process.memoryUsage.rss();
        before.buffers = defaultDevice().memory().buffers;
        delay.enable();
      }
      if (done === steps) controller.abort();
    },
  },
});
const start = performance.now();
for await (const _ of trainer.fit(loader, { epochs: Number.POSITIVE_INFINITY, signal: controller.signal }));
const seconds = (performance.now() - start) / 1000;
delay.disable();

// A timer of 1 ms that fires in time is counted as a delay of about 1 ms.
const milliseconds = (nanoseconds: number) => nanoseconds / 1e6;
const report = {
  steps: done,
  stepMilliseconds: (seconds / done) * 1000,
  delay: {
    p50: milliseconds(delay.percentile(50)),
    p99: milliseconds(delay.percentile(99)),
    max: milliseconds(delay.max),
  },
  resident: { atStep: WARM_UP, before: mebibytes(before.resident), after: mebibytes(process.memoryUsage.rss()) },
  buffers: { before: before.buffers, after: defaultDevice().memory().buffers },
};
if (options.json) console.log(JSON.stringify(report));
else {
  const { delay: shown, resident } = report;
  console.log(`${report.steps} steps of ${report.stepMilliseconds.toFixed(2)} ms on ${defaultDevice().description}`);
  console.log(
    `event loop delay: p50 ${shown.p50.toFixed(2)} ms, p99 ${shown.p99.toFixed(2)} ms, max ${shown.max.toFixed(2)} ms`,
  );
  console.log(
    `resident memory: ${resident.before.toFixed(1)} MiB at step ${resident.atStep}, ${resident.after.toFixed(1)} MiB at the end`,
  );
}
