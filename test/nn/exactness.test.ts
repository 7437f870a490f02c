import { describe, expect, it } from 'vitest';
import type { HostTensor, StateDict } from '../../src/io/safetensors.js';
import { directions, RECURRENT_CASES, type RecurrentCase } from '../cases/recurrent.js';
import { uniformDraws } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { drawNumbers, type Results, runStack } from '../helpers/recurrent.js';

expectNoLeaks();

type Matrix = number[][];

const zeros = (rows: number, columns: number): Matrix => Array.from({ length: rows }, () => new Array(columns).fill(0));

/** Small non-negative integers in place of all numbers: with relu every sum is exact, so every bit is known. */
function integers(numbers: StateDict, stream: number, below: number): StateDict {
  return new Map(
    [...numbers].map(([name, value], index): [string, HostTensor] => {
      if (value.dtype === 'int32') return [name, value];
      const draws = uniformDraws(stream + index, value.data.length);
      return [name, { ...value, data: draws.map((draw) => Math.floor(((draw + 1) / 2) * below)) }];
    }),
  );
}

/** Forward and backward in JavaScript integers: the relu stack written as plain loops. */
function reference(options: RecurrentCase, weights: StateDict, values: StateDict): Results {
  const { steps: T, batch: B, hiddenSize: H, inputSize: I, layers: L } = options;
  const D = directions(options);
  const lengths = options.lengths ?? new Array(B).fill(T);
  const number = (state: StateDict, name: string, index: number) => state.get(name)?.data[index] ?? 0;
  const results: Results = new Map();
  const gradients = new Map([...weights].map(([name, { data }]) => [name, new Float64Array(data.length)]));
  const h = new Float64Array(L * D * B * H);
  const dh0 = new Float64Array(L * D * B * H);
  // Row t * B + b of a layer's input and output; hidden[layer][direction][row] before and after each step.
  let x = zeros(T * B, I).map((row, r) => row.map((_, i) => number(values, 'x', r * I + i)));
  const inputs: Matrix[] = [];
  const before: Matrix[] = [];
  const after: Matrix[] = [];
  const order = (direction: number) => Array.from({ length: T }, (_, t) => (direction === 1 ? T - 1 - t : t));
  const suffixOf = (layer: number, direction: number) => `_l${layer}${direction === 1 ? '_reverse' : ''}`;

  for (let layer = 0; layer < L; layer++) {
    inputs.push(x);
    const y = zeros(T * B, D * H);
    for (let direction = 0; direction < D; direction++) {
      const suffix = suffixOf(layer, direction);
      const index = layer * D + direction;
      const width = x[0].length;
      before.push(zeros(T * B, H));
      after.push(zeros(T * B, H));
      for (let b = 0; b < B; b++) {
        let state = Array.from({ length: H }, (_, j) => number(values, 'h0', (index * B + b) * H + j));
        for (const t of order(direction)) {
          if (t >= lengths[b]) continue;
          const row = t * B + b;
          before[index][row] = state;
          state = state.map((_, j) => {
            let total = number(weights, `bias_ih${suffix}`, j) + number(weights, `bias_hh${suffix}`, j);
            for (let i = 0; i < width; i++) total += number(weights, `weight_ih${suffix}`, j * width + i) * x[row][i];
            for (let i = 0; i < H; i++)
              total += number(weights, `weight_hh${suffix}`, j * H + i) * before[index][row][i];
            return Math.max(0, total);
          });
          after[index][row] = state;
          state.forEach((value, j) => {
            y[row][direction * H + j] = value;
          });
        }
        h.set(state, (index * B + b) * H);
      }
    }
    x = y;
  }
  results.set('output', Float64Array.from(x.flat()));
  results.set('h', h);

  let dy = x.map((row, r) => row.map((_, j) => number(values, 'doutput', r * D * H + j)));
  for (let layer = L - 1; layer >= 0; layer--) {
    const width = inputs[layer][0].length;
    const dx = zeros(T * B, width);
    for (let direction = 0; direction < D; direction++) {
      const suffix = suffixOf(layer, direction);
      const index = layer * D + direction;
      const into = (name: string, position: number, amount: number) => {
        const gradient = gradients.get(name);
        if (gradient) gradient[position] += amount;
      };
      for (let b = 0; b < B; b++) {
        let dstate = Array.from({ length: H }, (_, j) => number(values, 'dh', (index * B + b) * H + j));
        for (const t of order(direction).reverse()) {
          if (t >= lengths[b]) continue;
          const row = t * B + b;
          const dgate = dstate.map((value, j) => (after[index][row][j] > 0 ? value + dy[row][direction * H + j] : 0));
          dstate = new Array(H).fill(0);
          dgate.forEach((value, j) => {
            into(`bias_ih${suffix}`, j, value);
            into(`bias_hh${suffix}`, j, value);
            for (let i = 0; i < width; i++) {
              into(`weight_ih${suffix}`, j * width + i, value * inputs[layer][row][i]);
              dx[row][i] += value * number(weights, `weight_ih${suffix}`, j * width + i);
            }
            for (let i = 0; i < H; i++) {
              into(`weight_hh${suffix}`, j * H + i, value * before[index][row][i]);
              dstate[i] += value * number(weights, `weight_hh${suffix}`, j * H + i);
            }
          });
        }
        dh0.set(dstate, (index * B + b) * H);
      }
    }
    dy = dx;
  }
  results.set('grad/x', Float64Array.from(dy.flat()));
  results.set('grad/h0', dh0);
  for (const [name, gradient] of gradients) results.set(`grad/${name}`, gradient);
  return results;
}

const base = RECURRENT_CASES.find(({ cell, name }) => cell === 'rnn_relu' && name === 'initial state')!;
const variants: RecurrentCase[] = [
  { ...base, name: 'one layer', layers: 1, steps: 4 },
  { ...base, name: 'three layers', layers: 3, steps: 4, hiddenSize: 3 },
  { ...base, name: 'bidirectional', bidirectional: true, steps: 4, hiddenSize: 3 },
  { ...base, name: 'lengths', steps: 5, batch: 5, lengths: [3, 5, 0, 1, 4] },
  {
    ...base,
    name: 'bidirectional lengths',
    bidirectional: true,
    steps: 4,
    batch: 4,
    hiddenSize: 3,
    lengths: [3, 4, 0, 1],
  },
  { ...base, name: 'without biases', bias: false, steps: 4 },
  { ...base, name: 'wider than a vector', layers: 1, steps: 2, batch: 9, inputSize: 21, hiddenSize: 37 },
];

describe('a relu stack on small integers matches bit for bit', () => {
  it.each(variants)('$name', async (options) => {
    const drawn = drawNumbers(options);
    const weights = integers(drawn.weights, 500, 2);
    const values = integers(drawn.values, 600, 3);
    const wanted = reference(options, weights, values);
    const largest = Math.max(...[...wanted.values()].flatMap((data) => Array.from(data, Math.abs)));
    expect(largest).toBeLessThan(2 ** 24);
    expect(largest).toBeGreaterThan(100);
    for (const dtype of ['float64', 'float32'] as const) {
      const actual = await runStack(options, dtype, { weights, values });
      expect([...actual.keys()].sort()).toEqual([...wanted.keys()].sort());
      for (const [name, data] of wanted)
        expect(Array.from(actual.get(name)!), `${dtype} ${name}`).toEqual(Array.from(data));
    }
  });
});
