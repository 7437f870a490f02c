/** `deep-rnn doctor`: what this installation can do, with a short test of it. */
import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { ConsecutiveLoader } from '../data/loaders.js';
import { Vocabulary } from '../data/vocabulary.js';
import { device } from '../device.js';
import { LanguageModel } from '../models/language-model.js';
import { load } from '../native/load.js';
import { DeepLSTM } from '../nn/lstm.js';
import { Adam } from '../optim/adam.js';
import { manualSeed } from '../random.js';
import { Trainer } from '../train/trainer.js';
import { Arguments } from './arguments.js';
import type { Command } from './command.js';
import { cudaFindings } from './doctor-cuda.js';

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function show(name: string, value: string): void {
  console.log(`${name.padEnd(10)} ${value}`);
}

/** Teaches a small LSTM a rhyme and lets it recite; returns what went wrong. */
async function selfTest(): Promise<string | undefined> {
  manualSeed(1);
  const text = 'deep rnn works ';
  const vocabulary = new Vocabulary(text);
  const ids = vocabulary.encode(text.repeat(20));
  using model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 32 }), { vocabulary });
  using optimizer = new Adam({ learningRate: 0.02 });
  const trainer = new Trainer(model, { optimizer, clipNorm: 1 });
  let perplexity = Number.NaN;
  const loader = new ConsecutiveLoader(ids, { batchSize: 4, steps: 16, seed: 1 });
  for await (const epoch of trainer.fit(loader, { epochs: 40 })) perplexity = epoch.perplexity;
  if (!(perplexity < 1.2)) return `training ended at perplexity ${perplexity}, not below 1.2`;
  const recited = await model.generate('deep rnn', { length: 22 });
  return recited === text.repeat(2) ? undefined : `generation gave ${JSON.stringify(recited)}`;
}

export const doctor: Command = {
  help: `Shows what this installation can do, and tests it; the exit status is 0 when all is well.

Usage: deep-rnn doctor
`,

  async run(args) {
    new Arguments(args, {});
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    show('deep-rnn', version);
    show('Node', `${process.version}, Node-API ${process.versions.napi}`);
    const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
    const libc = report.header?.glibcVersionRuntime;
    show('platform', `${process.platform} ${process.arch}${libc ? `, glibc ${libc}` : ''}`);
    show('memory', `${gibibytes(totalmem())}, ${gibibytes(freemem())} free`);
    try {
      show('binary', load().path);
      using cpu = device('cpu');
      show('device', cpu.description);
      for (const [name, value] of cudaFindings()) show(name === 'backend' ? 'CUDA' : name, value);
      const start = performance.now();
      const fault = await selfTest();
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      show('self test', fault === undefined ? `passed in ${seconds} s` : `FAILED: ${fault}`);
      return fault === undefined ? 0 : 1;
    } catch (error) {
      show('FAILED', (error as Error).message);
      return 1;
    }
  },
};
