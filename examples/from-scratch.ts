/**
 * The chapter's first exercise (D2L 10.3): a two-layer LSTM written with nothing but tensor operations, beside DeepLSTM with the
 * same weights. Prints how far outputs, final states and all gradients of the two differ at most.
 *
 *   node .tools/examples/from-scratch.js [--steps 35] [--batch 32] [--inputs 28] [--hidden 64]
 */
import { parseArgs } from 'node:util';
import {
  at,
  DeepLSTM,
  linear,
  manualSeed,
  randn,
  scope,
  sigmoid,
  split,
  stack,
  type Tensor,
  tanh,
  tensor,
} from 'deep-rnn';

const { values: options } = parseArgs({
  options: {
    steps: { type: 'string', default: '35' },
    batch: { type: 'string', default: '32' },
    inputs: { type: 'string', default: '28' },
    hidden: { type: 'string', default: '64' },
  },
});
const [T, B, I, H] = [options.steps, options.batch, options.inputs, options.hidden].map(Number);
const LAYERS = 2;

type Weights = Map<string, Tensor>;

interface Result {
  output: Tensor;
  state: { h: Tensor; c: Tensor };
}

/** One layer over all steps: inputs are T tensors [B, I] or [B, H], h and c [B, H]. */
function lstmLayer(inputs: Tensor[], weights: Weights, layer: number, h: Tensor, c: Tensor) {
  const weight = (name: string) => weights.get(`${name}_l${layer}`)!;
  const outputs = inputs.map((x) => {
    const fromInput = linear(x, weight('weight_ih'), weight('bias_ih'));
    const fromState = linear(h, weight('weight_hh'), weight('bias_hh'));
    const [input, forget, candidate, output] = split(fromInput.add(fromState), [H, H, H, H], 1);
    c = sigmoid(forget)
      .mul(c)
      .add(sigmoid(input).mul(tanh(candidate)));
    h = sigmoid(output).mul(tanh(c));
    return h;
  });
  return { outputs, h, c };
}

/** The whole stack: x [T, B, I], h0 and c0 [L, B, H]. */
function deepLstm(x: Tensor, weights: Weights, h0: Tensor, c0: Tensor): Result {
  let sequence = Array.from({ length: T }, (_, t) => at(x, t));
  const [finalH, finalC]: [Tensor[], Tensor[]] = [[], []];
  for (let layer = 0; layer < LAYERS; layer++) {
    const { outputs, h, c } = lstmLayer(sequence, weights, layer, at(h0, layer), at(c0, layer));
    sequence = outputs;
    finalH.push(h);
    finalC.push(c);
  }
  return { output: stack(sequence), state: { h: stack(finalH), c: stack(finalC) } };
}

/** A loss in which every output and state counts differently. */
function lossOf({ output, state }: Result): Tensor {
  const draw = (like: Tensor, seed: number) => randn(like.shape, { seed, dtype: output.dtype as 'float32' });
  return [output, state.h, state.c]
    .map((part, i) => part.mul(draw(part, i)).sum())
    .reduce((total, next) => total.add(next));
}

/** Runs a stack on fresh copies of the inputs; resolves to the values of all results and gradients by name. */
async function run(
  dtype: 'float32' | 'float64',
  weights: Weights,
  forward: (x: Tensor, h0: Tensor, c0: Tensor) => Result,
): Promise<Map<string, Float64Array>> {
  const reads = scope(() => {
    const inputs = new Map([
      ['x', randn([T, B, I], { seed: 1, dtype, requiresGrad: true })],
      ['h0', randn([LAYERS, B, H], { seed: 2, dtype, requiresGrad: true })],
      ['c0', randn([LAYERS, B, H], { seed: 3, dtype, requiresGrad: true })],
    ]);
    const result = forward(inputs.get('x')!, inputs.get('h0')!, inputs.get('c0')!);
    lossOf(result).backward();
    return [
      ['output', result.output.data()] as const,
      ['h', result.state.h.data()] as const,
      ['c', result.state.c.data()] as const,
      ...[...inputs, ...weights].map(([name, leaf]) => [`gradient of ${name}`, leaf.grad!.data()] as const),
    ];
  });
  const values = await Promise.all(reads.map(async ([name, read]) => [name, Float64Array.from(await read)] as const));
  return new Map(values);
}

/** max |a - b| / max |b| */
function difference(a: Float64Array, b: Float64Array): number {
  let largest = 0;
  let magnitude = 0;
  for (let i = 0; i < b.length; i++) {
    largest = Math.max(largest, Math.abs(a[i] - b[i]));
    magnitude = Math.max(magnitude, Math.abs(b[i]));
  }
  return largest / magnitude;
}

manualSeed(0);
for (const dtype of ['float64', 'float32'] as const) {
  using model = new DeepLSTM({ layers: LAYERS, inputSize: I, hiddenSize: H, dtype });
  const copies = [...model.namedParameters()].map(
    async ([name, weight]) => [name, tensor(await weight.data(), { shape: weight.shape, requiresGrad: true })] as const,
  );
  const mine: Weights = new Map(await Promise.all(copies));

  const expected = await run(dtype, model.namedParameters(), (x, h, c) => {
    const { output, state } = model.forward(x, { state: { h, c } });
    return { output, state: { h: state.h, c: state.c! } };
  });
  const actual = await run(dtype, mine, (x, h, c) => deepLstm(x, mine, h, c));

  console.log(`${dtype}: largest difference, relative to the largest value`);
  for (const [name, values] of expected) {
    console.log(`  ${name.padEnd(26)} ${difference(actual.get(name)!, values).toExponential(1)}`);
  }
  for (const weight of mine.values()) weight.dispose();
}
