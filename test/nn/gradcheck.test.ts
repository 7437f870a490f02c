import { describe, expect, it } from 'vitest';
import { DeepGRU } from '../../src/nn/gru.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { RecurrentStack } from '../../src/nn/recurrent.js';
import { DeepRNN } from '../../src/nn/rnn.js';
import type { RecurrentState } from '../../src/nn/state.js';
import { add, mul, sum, tensor } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward, noGrad } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { makeStack, RECURRENT_CASES, type RecurrentCase } from '../cases/recurrent.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { drawNumbers, type RecurrentNumbers } from '../helpers/recurrent.js';

expectNoLeaks();

const EPSILON = 1e-6;
const TOLERANCE = 1e-6;

/** The case with sizes small enough to perturb every element. */
function tiny(options: RecurrentCase): RecurrentCase {
  const steps = Math.min(options.steps, 3);
  return {
    ...options,
    steps,
    batch: 2,
    inputSize: options.inputMode === 'skip' ? 3 : 2,
    hiddenSize: 3,
    projSize: Math.min(options.projSize, 2),
    lengths: options.lengths?.slice(0, 2).map((length) => Math.min(length, steps)) ?? null,
  };
}

/** Compares every gradient of the case's loss with a central difference. */
async function gradcheck(
  stack: RecurrentStack,
  { weights, values }: RecurrentNumbers,
  lengths: number[] | null,
): Promise<void> {
  stack.loadStateDict(weights);
  const inputs = new Map<string, Tensor>();
  for (const [name, { data, shape, dtype }] of values) {
    const requiresGrad = dtype !== 'int32' && !name.startsWith('d');
    inputs.set(name, tensor(data, { shape, dtype, requiresGrad }));
  }
  const h0 = inputs.get('h0');
  const state: RecurrentState | undefined = h0 && { h: h0, ...(inputs.has('c0') && { c: inputs.get('c0')! }) };
  const loss = (): Tensor => {
    manualSeed(3); // the same dropout masks every time
    const result = stack.forward(inputs.get('x') ?? inputs.get('tokens')!, { state, lengths: lengths ?? undefined });
    let total = sum(mul(result.output, inputs.get('doutput')!));
    for (const [name, value] of Object.entries(result.state))
      total = add(total, sum(mul(value, inputs.get(`d${name}`)!)));
    return total;
  };
  scope(() => backward(loss()));

  const leaves = [...inputs, ...stack.namedParameters()].filter(([, leaf]) => leaf.requiresGrad);
  for (const [name, leaf] of leaves) {
    const start = (await leaf.data()).slice();
    const gradient = leaf.grad ? await leaf.grad.data() : new Float64Array(leaf.size);
    const evaluate = (index: number, step: number): Promise<number> => {
      const moved = start.slice();
      moved[index] += step;
      leaf.copyFrom(moved);
      return noGrad(() => scope(() => loss().item()));
    };
    const pairs = Array.from(start, (_, i) => Promise.all([evaluate(i, EPSILON), evaluate(i, -EPSILON)]));
    const numeric = (await Promise.all(pairs)).map(([above, below]) => (above - below) / (2 * EPSILON));
    leaf.copyFrom(start);
    numeric.forEach((value, i) => {
      const error = Math.abs(value - gradient[i]) / Math.max(1, Math.abs(value));
      expect(error, `${name}[${i}]: ${gradient[i]}, by differences ${value}`).toBeLessThan(TOLERANCE);
    });
  }
  for (const value of inputs.values()) value.dispose();
  stack.dispose();
}

describe('every recurrent option', () => {
  const cases = RECURRENT_CASES.filter(({ name }) => name !== 'odd sizes').map(tiny);
  it.each(cases)('$cell, $name', async (options) => {
    await gradcheck(makeStack(options, 'float64'), drawNumbers(options), options.lengths);
  });
});

describe('dropout between layers', () => {
  const shared = { layers: 3, inputSize: 2, hiddenSize: 3, dropout: 0.4, dtype: 'float64' } as const;
  const listed = (cell: RecurrentCase['cell']) =>
    tiny(RECURRENT_CASES.find((options) => options.cell === cell && options.name === 'bidirectional lengths')!);

  it.each([
    ['rnn_tanh' as const, (bidirectional: boolean) => new DeepRNN({ ...shared, bidirectional })],
    ['gru' as const, (bidirectional: boolean) => new DeepGRU({ ...shared, bidirectional })],
    ['lstm' as const, (bidirectional: boolean) => new DeepLSTM({ ...shared, bidirectional })],
  ])('%s', async (cell, make) => {
    for (const bidirectional of [false, true]) {
      const options = { ...listed(cell), layers: 3, bidirectional };
      await gradcheck(make(bidirectional), drawNumbers(options), options.lengths);
    }
  });
});
