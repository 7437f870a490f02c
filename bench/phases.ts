/**
 * How long the parts of a training step take: differences between steps that stop early or leave a part out.
 *
 * Frozen parameters get no gradient, so with all of them frozen only the initial state asks for the backward pass through time.
 */
import { backward, clipGradNorm, crossEntropy, type Device, SGD, scope, tensor } from 'deep-rnn';
import { type Contestant, race, type Timing, timeSteps } from '#bench/contestant';
import { TokenModel, tokensOf } from '#bench/ours';
import type { Workload } from '#bench/workload';

/** Each contains the ones before it. */
const PARTS = ['forward', 'backwardData', 'weightGradients', 'update'] as const;
type Part = (typeof PARTS)[number];

/** Milliseconds of each part; the loss belongs to forward, clipping to update. */
export type Phases = Record<Part, number>;

export async function measurePhases(workload: Workload, device: Device, timing: Timing): Promise<Phases> {
  const { steps, batch } = workload;
  const model = new TokenModel(workload, device);
  const optimizer = new SGD({ learningRate: 0.1 }).attach(model);
  const { x, y } = tokensOf(workload);
  const shape = [steps, batch];

  const step = (last: number): Promise<number> =>
    scope(() => {
      const state = model.rnn.zeroState(batch);
      state.h.requiresGrad = true;
      const loss = crossEntropy(model.forward(tensor(x, { shape, device }), { state }), tensor(y, { shape, device }));
      if (last >= PARTS.indexOf('backwardData')) {
        optimizer.zeroGrad();
        backward(loss);
      }
      if (last >= PARTS.indexOf('update')) {
        clipGradNorm(model, 1);
        optimizer.step();
      }
      return loss.item() as Promise<number>;
    });
  const upTo = (part: Part, last: number): Contestant => ({
    name: part,
    run(count) {
      const trains = last >= PARTS.indexOf('weightGradients');
      for (const parameter of model.parameters()) parameter.requiresGrad = trains;
      return timeSteps(() => step(last), count);
    },
    close() {},
  });
  try {
    const seconds = await race(PARTS.map(upTo), timing);
    // Disturbances only make longer, and would not cancel in a difference.
    const shortest = seconds.map((rounds) => 1000 * Math.min(...rounds));
    return Object.fromEntries(PARTS.map((part, i) => [part, shortest[i] - (shortest[i - 1] ?? 0)])) as Phases;
  } finally {
    optimizer.dispose();
    model.dispose();
  }
}
