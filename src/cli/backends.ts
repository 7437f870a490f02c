/** What `deep-rnn doctor` finds out about each kind of device: whether it is there, what it is, and whether it learns. */
import { ConsecutiveLoader } from '../data/loaders.js';
import { Vocabulary } from '../data/vocabulary.js';
import { type Device, type DeviceKind, device, setDefaultDevice } from '../device.js';
import { LanguageModel } from '../models/language-model.js';
import { DeepLSTM } from '../nn/lstm.js';
import { Adam } from '../optim/adam.js';
import { manualSeed } from '../random.js';
import { Trainer } from '../train/trainer.js';
import { cudaFindings } from '../verify/cuda-findings.js';

export interface BackendReport {
  kind: DeviceKind;
  /** The device in a line, or null where there is none. */
  description: string | null;
  /** Why there is none, or null. */
  absent: string | null;
  /** Further facts, name by name: versions and folders of libraries, or the reasons for their absence. */
  details: Record<string, string>;
  /** What went wrong, or null, and how long it took; null where there is no device. */
  selfTest: { fault: string | null; seconds: number } | null;
}

/** The facts that only one kind of device has; asked whether or not it opens. */
const DETAILS: Record<DeviceKind, () => Record<string, string>> = {
  cpu: () => ({}),
  cuda: () => Object.fromEntries(cudaFindings()),
};

/** Teaches a small LSTM a rhyme on the default device and lets it recite; returns what went wrong. */
async function selfTest(): Promise<string | null> {
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
  return recited === text.repeat(2) ? null : `generation gave ${JSON.stringify(recited)}`;
}

async function tested(opened: Device): Promise<BackendReport['selfTest']> {
  setDefaultDevice(opened);
  const start = performance.now();
  const fault = await selfTest().catch((error: Error) => error.message);
  return { fault, seconds: (performance.now() - start) / 1000 };
}

/** Opens a device of this kind, where there is one, and tests it. */
export async function examine(kind: DeviceKind): Promise<BackendReport> {
  const report: BackendReport = { kind, description: null, absent: null, details: DETAILS[kind](), selfTest: null };
  try {
    using opened = device(kind);
    report.description = opened.description;
    report.selfTest = await tested(opened);
  } catch (error) {
    report.absent = (error as Error).message;
  }
  return report;
}
