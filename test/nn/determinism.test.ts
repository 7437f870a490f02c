import { afterAll, describe, expect, it } from 'vitest';
import { type Device, device } from '../../src/device.js';
import type { StateDict } from '../../src/io/safetensors.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { Linear } from '../../src/nn/linear.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import { Module } from '../../src/nn/module.js';
import type { RecurrentOptions, RecurrentStack } from '../../src/nn/recurrent.js';
import { DeepRNN } from '../../src/nn/rnn.js';
import { detachState, type RecurrentState } from '../../src/nn/state.js';
import { crossEntropy, randn, reshape, tensor } from '../../src/ops/index.js';
import { Adam } from '../../src/optim/adam.js';
import { clipGradNorm } from '../../src/optim/clip.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { uniformDraws } from '../helpers/fixtures.js';

const STEPS = 9;
const BATCH = 17;
const FEATURES = 13;
const CLASSES = 11;

const devices = [1, 1, 2].map((threads) => device('cpu', { threads }));
afterAll(() => {
  for (const { buffers } of devices.map((opened) => opened.memory())) expect(buffers).toBe(0);
  for (const opened of devices) opened.close();
});

class Model extends Module {
  readonly head: Linear;

  constructor(
    readonly rnn: RecurrentStack,
    on: Device,
  ) {
    super();
    this.head = new Linear({ outputs: CLASSES, device: on });
  }

  forward(x: Tensor, state?: RecurrentState): { logits: Tensor; state: RecurrentState } {
    const { output, state: next } = this.rnn.forward(x, { state });
    return { logits: this.head.forward(output), state: next };
  }
}

interface Run {
  outputs: number[][];
  gradients: number[][];
  parameters: StateDict;
}

/** Three training steps with dropout; everything that came out. */
async function train(make: (options: RecurrentOptions) => RecurrentStack, on: Device): Promise<Run> {
  manualSeed(5);
  const options = { layers: 3, hiddenSize: 40, bidirectional: true, dropout: 0.3, device: on };
  const model = new Model(make(options), on);
  const optimizer = new Adam({ learningRate: 0.01 }).attach(model);
  const targets = tensor(
    Int32Array.from(uniformDraws(9, STEPS * BATCH), (value) => Math.floor(((value + 1) / 2) * CLASSES)),
    { device: on },
  );
  const reads: { outputs: Promise<ArrayLike<number>>[]; gradients: Promise<ArrayLike<number>>[] } = {
    outputs: [],
    gradients: [],
  };
  let state: RecurrentState | undefined;
  for (let step = 0; step < 3; step++) {
    const before = state;
    state = scope(() => {
      const result = model.forward(randn([STEPS, BATCH, FEATURES], { device: on }), before);
      model.zeroGrad();
      backward(crossEntropy(reshape(result.logits, [-1, CLASSES]), targets));
      reads.outputs.push(result.logits.data(), clipGradNorm(model, 0.5).data());
      for (const parameter of model.parameters()) reads.gradients.push(parameter.grad.data());
      optimizer.step();
      return detachState(result.state);
    });
    for (const value of Object.values(before ?? {})) value.dispose();
  }
  const run = {
    outputs: (await Promise.all(reads.outputs)).map((values) => Array.from(values)),
    gradients: (await Promise.all(reads.gradients)).map((values) => Array.from(values)),
    parameters: await model.stateDict(),
  };
  for (const value of Object.values(state!)) value.dispose();
  targets.dispose();
  optimizer.dispose();
  model.dispose();
  return run;
}

describe('same seed, same bits, with one thread and with two', () => {
  it.each([
    ['tanh', (options: RecurrentOptions) => new DeepRNN(options)],
    ['gru', (options: RecurrentOptions) => new DeepGRU(options)],
    ['lstm', (options: RecurrentOptions) => new DeepLSTM(options)],
  ])('%s', async (_, make) => {
    const runs: Run[] = [];
    for (const on of devices) runs.push(await train(make, on));
    expect(runs[0].outputs.flat().every(Number.isFinite)).toBe(true);
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
  });
});
