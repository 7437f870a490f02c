/** Ten training steps of D2L's 2-layer LSTM, by the recipe of `seed_model_losses` in test/fixtures/make.py. */
import { Linear } from '../../src/nn/linear.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import { Module } from '../../src/nn/module.js';
import { detachState, type RecurrentState } from '../../src/nn/state.js';
import { crossEntropy, reshape, tensor } from '../../src/ops/index.js';
import type { RnnPrecision } from '../../src/ops/rnn.js';
import { clipGradNorm } from '../../src/optim/clip.js';
import { SGD } from '../../src/optim/sgd.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { uniformDraws } from './fixtures.js';

const VOCABULARY = 28;
const HIDDEN = 256;
const STEPS = 35;
const BATCH = 32;
const MINIBATCHES = 10;

export class SeedModel extends Module {
  readonly rnn: DeepLSTM;
  readonly head = new Linear({ inputs: HIDDEN, outputs: VOCABULARY });

  constructor(precision: RnnPrecision = 'float32') {
    super();
    this.rnn = new DeepLSTM({ layers: 2, inputSize: VOCABULARY, hiddenSize: HIDDEN, precision });
  }

  forward(tokens: Tensor, state?: RecurrentState): { logits: Tensor; state: RecurrentState } {
    const { output, state: next } = this.rnn.forward(tokens, { state });
    return { logits: reshape(this.head.forward(output), [-1, VOCABULARY]), state: next };
  }
}

function initialize(model: SeedModel): void {
  // The names come in PyTorch's order.
  [...model.namedParameters()].forEach(([name, parameter], stream) => {
    const draws = uniformDraws(1000 + stream, parameter.size);
    parameter.copyFrom(name.includes('bias') ? draws.fill(0) : draws.map((value) => value * (0.01 * Math.sqrt(3))));
  });
}

function minibatch(index: number): Int32Array {
  return Int32Array.from(uniformDraws(2000 + index, (STEPS + 1) * BATCH), (draw) =>
    Math.floor(((draw + 1) / 2) ** 2 * VOCABULARY),
  );
}

/** The loss of each minibatch before its step. */
export async function trainSeedModel(precision?: RnnPrecision): Promise<number[]> {
  const model = new SeedModel(precision);
  initialize(model);
  const optimizer = new SGD({ learningRate: 2 }).attach(model);
  const losses: Promise<number>[] = [];
  let state: RecurrentState | undefined;
  for (let i = 0; i < MINIBATCHES; i++) {
    const before = state;
    state = scope(() => {
      const tokens = minibatch(i);
      const x = tensor(tokens.subarray(0, STEPS * BATCH), { shape: [STEPS, BATCH] });
      const result = model.forward(x, before);
      const loss = crossEntropy(result.logits, tensor(tokens.subarray(BATCH)));
      losses.push(loss.item());
      optimizer.zeroGrad();
      backward(loss);
      clipGradNorm(model, 1);
      optimizer.step();
      return detachState(result.state);
    });
    for (const value of Object.values(before ?? {})) value.dispose();
  }
  for (const value of Object.values(state!)) value.dispose();
  const values = await Promise.all(losses);
  optimizer.dispose();
  model.dispose();
  return values;
}
