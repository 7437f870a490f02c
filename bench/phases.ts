/**
 * How long the parts of a training step take: differences between steps that stop early or leave a part out, and the update alone,
 * which is too short for a difference.
 *
 * Frozen parameters get no gradient, so with all of them frozen only the initial state asks for the backward pass through time.
 */
import { backward, clipGradNorm, crossEntropy, type Device, SGD, scope, tensor } from 'deep-rnn';
import { type Contestant, race, type Timing, timeSteps } from '#bench/contestant';
import { TokenModel, tokensOf } from '#bench/ours';
import type { Workload } from '#bench/workload';

/** Each contains the ones before it. */
const NESTED = ['forward', 'backwardData', 'weightGradients'] as const;
type Nested = (typeof NESTED)[number];

/** Milliseconds of each part; the loss belongs to forward, clipping to update. */
export type Phases = Record<Nested | 'update', number>;

export async function measurePhases(workload: Workload, device: Device, timing: Timing): Promise<Phases> {
  const { steps, batch } = workload;
  const model = new TokenModel(workload, device);
  const optimizer = new SGD({ learningRate: 1e-6 }).attach(model);
  const { x, y } = tokensOf(workload);
  const shape = [steps, batch];

  const step = (last: Nested): Promise<number> =>
    scope(() => {
      const state = model.rnn.zeroState(batch);
      state.h.requiresGrad = true;
      const loss = crossEntropy(model.forward(tensor(x, { shape, device }), { state }), tensor(y, { shape, device }));
      if (last !== 'forward') {
        optimizer.zeroGrad();
        backward(loss);
      }
      return loss.item() as Promise<number>;
    });
  const train = (wanted: boolean) => {
    for (const parameter of model.parameters()) parameter.requiresGrad = wanted;
  };
  const upTo = (part: Nested): Contestant => ({
    name: part,
    run(count) {
      train(part === 'weightGradients');
      return timeSteps(() => step(part), count);
    },
    close() {},
  });
  const update: Contestant = {
    name: 'update',
    async run(count) {
      train(true);
      await step('weightGradients');
      const start = performance.now();
      for (let i = 0; i < count; i++) {
        scope(() => void clipGradNorm(model, 1));
        optimizer.step();
      }
      await device.synchronize();
      return (performance.now() - start) / 1000;
    },
    close() {},
  };
  try {
    const seconds = await race([...NESTED.map(upTo), update], timing);
    // Disturbances only make longer, and would not cancel in a difference.
    const shortest = seconds.map((rounds) => 1000 * Math.min(...rounds));
    const differences = NESTED.map((part, i) => [part, shortest[i] - (shortest[i - 1] ?? 0)]);
    return { ...Object.fromEntries(differences), update: shortest[NESTED.length] } as Phases;
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}
