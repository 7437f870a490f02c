/**
 * A classifier of one's own: which wave is it, sine, square or sawtooth? Sequences of different lengths in one minibatch, a
 * bidirectional stack, and a Trainer with a loss function.
 *
 *   node .tools/examples/classifier.js [--epochs 12] [--seed 1]
 */
import { parseArgs } from 'node:util';
import {
  AdamW,
  argmax,
  concat,
  crossEntropy,
  DeepGRU,
  Linear,
  Module,
  manualSeed,
  nextSeed,
  noGrad,
  RandomSource,
  scope,
  type Tensor,
  Trainer,
  tensor,
} from 'deep-rnn';

const { values: options } = parseArgs({
  options: { epochs: { type: 'string', default: '12' }, seed: { type: 'string', default: '1' } },
});

const WAVES = [
  (phase: number) => Math.sin(2 * Math.PI * phase),
  (phase: number) => (phase % 1 < 0.5 ? 1 : -1),
  (phase: number) => 2 * (phase % 1) - 1,
];
const STEPS = 40;
const BATCH = 32;

interface Batch {
  /** [T,B,1]; zero past a sequence's length. */
  x: Float32Array;
  lengths: Int32Array;
  /** [B] */
  classes: Int32Array;
}

function makeBatch(random: RandomSource): Batch {
  const x = new Float32Array(STEPS * BATCH);
  const lengths = Int32Array.from({ length: BATCH }, () => random.nextInteger(12, STEPS));
  const classes = Int32Array.from({ length: BATCH }, () => random.nextInteger(0, 2));
  for (let b = 0; b < BATCH; ++b) {
    const start = random.nextFloat();
    const speed = 0.05 + 0.1 * random.nextFloat();
    for (let t = 0; t < lengths[b]; ++t) {
      x[t * BATCH + b] = WAVES[classes[b]](start + t * speed) + 0.3 * (random.nextFloat() - 0.5);
    }
  }
  return { x, lengths, classes };
}

class Classifier extends Module {
  readonly rnn = new DeepGRU({ layers: 2, hiddenSize: 32, bidirectional: true, dropout: 0.1 });
  readonly head = new Linear({ outputs: WAVES.length });

  /** x [T,B,1] -> logits [B,3], from the last states of the top layer in both directions. */
  forward(x: Tensor, lengths: Int32Array): Tensor {
    const { state } = this.rnn.forward(x, { lengths });
    return this.head.forward(concat([state.h.at(-2), state.h.at(-1)], 1));
  }
}

const logitsOf = (model: Classifier, { x, lengths }: Batch) =>
  model.forward(tensor(x, { shape: [STEPS, BATCH, 1] }), lengths);

manualSeed(Number(options.seed));
const random = new RandomSource(nextSeed());
const training = Array.from({ length: 24 }, () => makeBatch(random));
const held = makeBatch(random);

using model = new Classifier();
using optimizer = new AdamW({ learningRate: 0.01 });
const trainer = new Trainer<Classifier, Batch>(model, {
  optimizer,
  clipNorm: 1,
  loss: (classifier, batch) => ({
    loss: crossEntropy(logitsOf(classifier, batch), tensor(batch.classes)),
    count: BATCH,
  }),
});
for await (const { number, loss, validation } of trainer.fit(training, {
  epochs: Number(options.epochs),
  validation: [held],
})) {
  console.log(`epoch ${number}, loss ${loss.toFixed(3)}, held-out loss ${validation!.loss.toFixed(3)}`);
}

model.eval();
const answers = await scope(() => noGrad(() => argmax(logitsOf(model, held), 1).data()));
const right = held.classes.filter((wave, b) => answers[b] === wave).length;
console.log(`${right} of ${BATCH} held-out waves recognised`);
