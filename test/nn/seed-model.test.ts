import { expect, it } from 'vitest';
import { Linear } from '../../src/nn/linear.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import { Module } from '../../src/nn/module.js';
import { detachState, type RecurrentState } from '../../src/nn/state.js';
import { crossEntropy, reshape, tensor } from '../../src/ops/index.js';
import { clipGradNorm } from '../../src/optim/clip.js';
import { SGD } from '../../src/optim/sgd.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { loadFixture, uniformDraws } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

const VOCABULARY = 28;
const HIDDEN = 256;
const STEPS = 35;
const BATCH = 32;

class SeedModel extends Module {
  readonly rnn = new DeepLSTM({ layers: 2, inputSize: VOCABULARY, hiddenSize: HIDDEN });
  readonly head = new Linear({ inputs: HIDDEN, outputs: VOCABULARY });

  forward(tokens: Tensor, state?: RecurrentState): { logits: Tensor; state: RecurrentState } {
    const { output, state: next } = this.rnn.forward(tokens, { state });
    return { logits: reshape(this.head.forward(output), [-1, VOCABULARY]), state: next };
  }
}

/** Weights and tokens by the recipe of `seed_model_losses` in test/fixtures/make.py. */
function initialize(model: SeedModel): void {
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

it('ten steps of the 2-layer LSTM follow the losses of PyTorch', async () => {
  const wanted = Array.from(loadFixture('seed-model.safetensors').get('losses')!.data);
  const model = new SeedModel();
  expect(model.parameterCount).toBe(826_396);
  initialize(model);
  const optimizer = new SGD({ learningRate: 2 }).attach(model);
  const losses: Promise<number>[] = [];
  let state: RecurrentState | undefined;
  for (let i = 0; i < wanted.length; i++) {
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
  const actual = await Promise.all(losses);
  wanted.forEach((loss, i) => {
    expect(Math.abs(actual[i] - loss) / loss, `step ${i}: ${actual[i]}, PyTorch ${loss}`).toBeLessThan(1e-5);
  });
  optimizer.dispose();
  model.dispose();
});
