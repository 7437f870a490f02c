/** What everything around the native step costs: the Trainer with its loader, against the same commands and nothing else. */
import {
  backward,
  ConsecutiveLoader,
  clipGradNorm,
  crossEntropy,
  DeepLSTM,
  type Device,
  LanguageModel,
  randn,
  SGD,
  scope,
  Trainer,
  tensor,
} from 'deep-rnn';
import { type Contestant, median, race, type Timing } from '#bench/contestant';
import { alphabet } from '#bench/ours';
import { HEADLINE } from '#bench/workload';

const STEPS_PER_EPOCH = 8;

export interface WholeProgram {
  /** Tokens a second, medians. */
  readonly bare: number;
  readonly trainer: number;
  /** The share of the bare step's rate that the Trainer loses, the median over the rounds; below 0 it is faster. */
  readonly loss: number;
}

export async function measureWholeProgram(device: Device, timing: Timing): Promise<WholeProgram> {
  const contestants = [startBare(device), startTrainer(device)];
  try {
    const [bare, trainer] = await race(contestants, timing);
    const tokens = STEPS_PER_EPOCH * HEADLINE.batch * HEADLINE.steps;
    return {
      bare: tokens / median(bare),
      trainer: tokens / median(trainer),
      loss: median(bare.map((seconds, round) => 1 - seconds / trainer[round])),
    };
  } finally {
    for (const contestant of contestants) contestant.close();
  }
}

function start(device: Device): { model: LanguageModel; optimizer: SGD; ids: Int32Array } {
  const { layers, hidden: hiddenSize, batch, steps, vocabulary } = HEADLINE;
  const model = new LanguageModel(new DeepLSTM({ layers, hiddenSize, device }), { vocabulary: alphabet(vocabulary) });
  // Enough for whole minibatches at every offset that the loader may draw, and for no further one.
  const ids = Int32Array.from(
    { length: batch * steps * STEPS_PER_EPOCH + steps + 1 },
    (_, i) => (i * 7919) % vocabulary,
  );
  return { model, optimizer: new SGD({ learningRate: 0.1 }), ids };
}

/** The step with tokens that lie on the device, whose loss nobody reads. The state is given, as in the Trainer's steps. */
function startBare(device: Device): Contestant {
  const { model, optimizer, ids } = start(device);
  const { layers, hidden, batch, steps } = HEADLINE;
  optimizer.attach(model);
  const shape = [steps, batch];
  const x = tensor(ids.slice(0, steps * batch), { shape, device });
  const y = tensor(ids.slice(1, steps * batch + 1), { shape, device });
  const state = { h: randn([layers, batch, hidden], { device }), c: randn([layers, batch, hidden], { device }) };
  const step = () =>
    scope(() => {
      optimizer.zeroGrad();
      backward(crossEntropy(model.forward(x, state).logits, y));
      clipGradNorm(model, 1);
      optimizer.step();
    });
  return {
    name: 'bare',
    async run(count) {
      const start = performance.now();
      for (let i = 0; i < count * STEPS_PER_EPOCH; i++) step();
      await device.synchronize();
      return (performance.now() - start) / 1000;
    },
    close() {
      for (const part of [x, y, state.h, state.c, optimizer, model]) part.dispose();
    },
  };
}

function startTrainer(device: Device): Contestant {
  const { model, optimizer, ids } = start(device);
  const loader = new ConsecutiveLoader(ids, { batchSize: HEADLINE.batch, steps: HEADLINE.steps, seed: 1 });
  const trainer = new Trainer(model, { optimizer, clipNorm: 1 });
  return {
    name: 'Trainer',
    async run(count) {
      const start = performance.now();
      for await (const _ of trainer.fit(loader, { epochs: count }));
      return (performance.now() - start) / 1000;
    },
    close() {
      optimizer.dispose();
      model.dispose();
    },
  };
}
