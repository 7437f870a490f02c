/** Recurrent stacks on the GPU against the CPU, and their gradients against central differences. */
import type { Device } from '../device.js';
import type { DType, FloatDType } from '../dtype.js';
import { DeviceError } from '../errors.js';
import { DeepGRU } from '../nn/gru.js';
import { DeepLSTM } from '../nn/lstm.js';
import type { RecurrentStack } from '../nn/recurrent.js';
import { DeepRNN } from '../nn/rnn.js';
import type { RnnPrecision } from '../ops/rnn.js';
import { scope } from '../scope.js';
import { backward, noGrad } from '../tape.js';
import type { Tensor } from '../tensor.js';
import { type HostValues, leafOn, values, weighted } from './both.js';
import { type Checks, Comparison, LeftOut } from './checks.js';

const CELLS = ['rnnTanh', 'rnnRelu', 'gru', 'lstm'] as const;

interface Stack {
  name: string;
  cell: (typeof CELLS)[number];
  layers: number;
  bidirectional?: boolean;
  bias?: boolean | 'single';
  skip?: boolean;
  projSize?: number;
  cellClip?: number;
  batchFirst?: boolean;
  /** An initial state is given. */
  state?: boolean;
  lengths?: readonly number[];
  tokens?: boolean;
  steps: number;
  batch: number;
  inputSize: number;
  hiddenSize: number;
}

const SHAPE = { layers: 2, steps: 6, batch: 3, inputSize: 5, hiddenSize: 8 };

/** Every option of the stacks, with every cell that has it. */
const STACKS: readonly Stack[] = [
  ...CELLS.flatMap((cell): Stack[] => [
    { ...SHAPE, cell, name: 'one layer', layers: 1 },
    { ...SHAPE, cell, name: 'three layers with initial state', layers: 3, state: true },
    { ...SHAPE, cell, name: 'bidirectional with initial state', bidirectional: true, state: true },
    { ...SHAPE, cell, name: 'lengths', lengths: [4, 6, 1], state: true },
    { ...SHAPE, cell, name: 'bidirectional, lengths with zeros', bidirectional: true, lengths: [0, 6, 3], state: true },
    { ...SHAPE, cell, name: 'no biases', bias: false },
    { ...SHAPE, cell, name: 'single bias', bias: 'single', state: true },
    { ...SHAPE, cell, name: 'skip input', skip: true, inputSize: SHAPE.hiddenSize },
    { ...SHAPE, cell, name: 'batch first', batchFirst: true },
    { ...SHAPE, cell, name: 'tokens', tokens: true },
    { ...SHAPE, cell, name: 'odd sizes', steps: 3, batch: 7, inputSize: 9, hiddenSize: 17, state: true },
  ]),
  { ...SHAPE, cell: 'lstm', name: 'projection', projSize: 3, state: true },
  { ...SHAPE, cell: 'lstm', name: 'bidirectional projection', projSize: 3, bidirectional: true, lengths: [6, 0, 4] },
  { ...SHAPE, cell: 'lstm', name: 'cell clip', cellClip: 0.12, state: true },
];

/** Sizes that people train. */
const LARGE: readonly Stack[] = CELLS.map((cell) => {
  const shape = { layers: 2, steps: 35, batch: 32, inputSize: 28, hiddenSize: 256 };
  return { ...shape, cell, name: '2x256, 35 steps of 32 sequences', state: true };
});

/** More steps than cuDNN takes at once, which are cut. */
const LONG: readonly Stack[] = [false, true].flatMap((bidirectional): Stack[] => {
  const shape = { layers: 2, steps: 70_000, batch: 2, inputSize: 3, hiddenSize: 4, state: true, bidirectional };
  const name = bidirectional ? 'bidirectional, 70,000 steps' : '70,000 steps';
  // One of the sequences ends before the cut.
  return [
    { ...shape, cell: 'lstm', name },
    { ...shape, cell: 'gru', name: `${name}, lengths`, lengths: [70_000, 30_000] },
  ];
});

function makeStack(stack: Stack, device: Device, dtype: FloatDType, precision?: RnnPrecision): RecurrentStack {
  const { cell, layers, bidirectional, bias, batchFirst, inputSize, hiddenSize, projSize, cellClip } = stack;
  const inputMode = stack.skip ? 'skip' : 'linear';
  const options = { layers, bidirectional, bias, batchFirst, inputMode, inputSize, hiddenSize, dtype, device } as const;
  const shared = precision === undefined ? options : { ...options, precision };
  if (cell === 'lstm') return new DeepLSTM({ ...shared, projSize, cellClip });
  if (cell === 'gru') return new DeepGRU(shared);
  return new DeepRNN({ ...shared, nonlinearity: cell === 'rnnRelu' ? 'relu' : 'tanh' });
}

interface Inputs {
  x: HostValues;
  states: HostValues[];
}

function inputsOf(stack: Stack, dtype: DType): Inputs {
  const { steps, batch, inputSize, hiddenSize, layers, projSize, cell } = stack;
  const edge = stack.batchFirst ? [batch, steps] : [steps, batch];
  const rows = layers * (stack.bidirectional ? 2 : 1);
  const h = values([rows, batch, projSize || hiddenSize], dtype, 21);
  const c = values([rows, batch, hiddenSize], dtype, 22);
  return {
    x: stack.tokens ? values(edge, 'int32', 20, 0, inputSize) : values([...edge, inputSize], dtype, 20),
    states: !stack.state ? [] : cell === 'lstm' ? [h, c] : [h],
  };
}

/** Weights within ±1/√H, the same on every device. */
function setWeights(recurrent: RecurrentStack, { hiddenSize }: Stack, dtype: FloatDType): void {
  const scale = 1 / Math.sqrt(hiddenSize);
  [...recurrent.parameters()].forEach((parameter, i) => {
    parameter.copyFrom(values(parameter.shape, dtype, 100 + i, -scale, scale).data);
  });
}

function lossOf(recurrent: RecurrentStack, stack: Stack, x: Tensor, states: readonly Tensor[]) {
  const [h, c] = states;
  const { output, state } = recurrent.forward(x, {
    state: h && { h, ...(c && { c }) },
    lengths: stack.lengths,
  });
  const outputs = { output, ...state };
  return { outputs, loss: weighted(Object.values(outputs), recurrent.device) as Tensor };
}

/** Outputs, final states and every gradient, by name. */
async function resultsOf(stack: Stack, device: Device, dtype: FloatDType, precision?: RnnPrecision) {
  using recurrent = makeStack(stack, device, dtype, precision);
  setWeights(recurrent, stack, dtype);
  const inputs = inputsOf(stack, dtype);
  const reads = scope(() => {
    const x = leafOn(inputs.x, device);
    const states = inputs.states.map((state) => leafOn(state, device));
    const { outputs, loss } = lossOf(recurrent, stack, x, states);
    backward(loss);
    const gradients = { x, ...Object.fromEntries(states.map((state, i) => [`state ${i}`, state])) };
    return [
      ...Object.entries(outputs).map(([name, value]) => [name, value.data()] as const),
      ...Object.entries({ ...gradients, ...Object.fromEntries(recurrent.namedParameters()) })
        .filter(([, { grad }]) => grad !== null)
        .map(([name, { grad }]) => [`gradient of ${name}`, (grad as Tensor).data()] as const),
    ];
  });
  return Promise.all(reads.map(async ([name, data]) => [name, await data] as const));
}

const TOLERANCE: Record<FloatDType, number> = { float32: 1e-5, float64: 1e-10 };

/** The reduced precisions that a device may refuse, against float32 on the CPU. */
const PRECISIONS = { tf32: 1e-3, bfloat16: 2e-2, float16: 4e-3 } as const;

async function compare([cpu, gpu]: [Device, Device], stack: Stack, dtype: FloatDType): Promise<string> {
  const expected = await resultsOf(stack, cpu, dtype);
  const actual = await resultsOf(stack, gpu, dtype);
  const comparison = new Comparison(TOLERANCE[dtype]);
  for (const [i, [name, data]] of expected.entries()) comparison.close(name, actual[i][1], data);
  return comparison.toString();
}

/** Outputs and states only: gradients through rounded products have no such bound. */
async function comparePrecision([cpu, gpu]: [Device, Device], stack: Stack, precision: keyof typeof PRECISIONS) {
  const actual = await resultsOf(stack, gpu, 'float32', precision as RnnPrecision).catch((error: Error) => {
    // Refused, by the option's check or by the device; a failure of the computation is a DeviceError.
    if (error instanceof DeviceError && !error.message.includes('precision')) throw error;
    throw new LeftOut(error.message);
  });
  const expected = await resultsOf(stack, cpu, 'float32');
  const comparison = new Comparison(PRECISIONS[precision]);
  for (const [i, [name, data]] of expected.entries())
    if (!name.startsWith('gradient')) comparison.close(name, actual[i][1], data);
  return comparison.toString();
}

/** The stacks in float64 and float32, and in what else the device computes. */
export async function checkStacks(checks: Checks, devices: [Device, Device], quick: boolean): Promise<void> {
  for (const stack of [...STACKS, ...(quick ? [] : LARGE)])
    for (const dtype of ['float64', 'float32'] as const)
      await checks.check(`${stack.cell}, ${stack.name}, ${dtype}`, () => compare(devices, stack, dtype));
  for (const stack of LONG)
    await checks.check(`${stack.cell}, ${stack.name}, float64`, () => compare(devices, stack, 'float64'));
  const rows = quick ? STACKS.filter(({ name }) => name === 'one layer') : LARGE;
  for (const stack of rows)
    for (const precision of Object.keys(PRECISIONS) as (keyof typeof PRECISIONS)[])
      await checks.check(`${stack.cell}, ${stack.name}, ${precision}`, () =>
        comparePrecision(devices, stack, precision),
      );
}

const STEP = 1e-6;

/** Every element of every leaf against a central difference, all computed on the device in float64. */
async function differences(stack: Stack, device: Device): Promise<string> {
  using recurrent = makeStack(stack, device, 'float64');
  setWeights(recurrent, stack, 'float64');
  const inputs = inputsOf(stack, 'float64');
  const x = leafOn(inputs.x, device);
  const states = inputs.states.map((state) => leafOn(state, device));
  const loss = () => lossOf(recurrent, stack, x, states).loss;
  scope(() => backward(loss()));
  const leaves = [x, ...states, ...recurrent.parameters()].filter((leaf) => leaf.requiresGrad);
  const comparison = new Comparison(1e-6);
  for (const [i, leaf] of leaves.entries()) {
    const start = (await leaf.data()).slice();
    const gradient = leaf.grad === null ? new Float64Array(leaf.size) : await leaf.grad.data();
    const evaluate = (element: number, by: number): Promise<number> => {
      const moved = start.slice();
      moved[element] += by;
      leaf.copyFrom(moved);
      return noGrad(() => scope(() => loss().item() as Promise<number>));
    };
    const pairs = Array.from(start, (_, element) => Promise.all([evaluate(element, STEP), evaluate(element, -STEP)]));
    const numeric = (await Promise.all(pairs)).map(([above, below]) => (above - below) / (2 * STEP));
    leaf.copyFrom(start);
    // Beside the size of the gradient's largest element: 1, which keeps noise out where all are small.
    comparison.close(leaf.name ?? `leaf ${i}`, [...gradient, 1], [...numeric, 1]);
  }
  for (const tensor of [x, ...states]) tensor.dispose();
  return comparison.toString();
}

/** Gradients of tiny stacks with every option. */
export async function checkGradients(checks: Checks, device: Device, quick: boolean): Promise<void> {
  const tiny = STACKS.filter(({ name }) => name !== 'odd sizes').map((stack): Stack => {
    const steps = 3;
    return {
      ...stack,
      steps,
      batch: 2,
      inputSize: stack.skip ? 3 : 2,
      hiddenSize: 3,
      projSize: stack.projSize && 2,
      lengths: stack.lengths?.slice(0, 2).map((length) => Math.min(length, steps)),
    };
  });
  const named = (stack: Stack) => `${stack.cell}, ${stack.name}`;
  for (const stack of quick ? tiny.filter(({ cell }) => cell === 'lstm') : tiny)
    await checks.check(named(stack), () => differences(stack, device));
}
