/**
 * The recurrent stacks once more, composed step by step of differentiable primitives: a slow float64 oracle for every option.
 * Weights come by PyTorch's names; x is [T,B,I] or token ids [T,B], batch-first when the options say so.
 */
import {
  add,
  at,
  clamp,
  concat,
  matmul,
  mul,
  oneHot,
  relu,
  sigmoid,
  slice,
  stack,
  sub,
  tanh,
  tensor,
  transpose,
  zeros,
} from '../../src/ops/index.js';
import type { Tensor } from '../../src/tensor.js';
import { directions, outputSize, type RecurrentCase } from '../cases/recurrent.js';

export interface TwinInput {
  x: Tensor;
  h0?: Tensor;
  c0?: Tensor;
  lengths?: readonly number[];
}

export interface TwinOutput {
  output: Tensor;
  h: Tensor;
  c?: Tensor;
}

type Weights = ReadonlyMap<string, Tensor>;

interface CellState {
  h: Tensor;
  c?: Tensor;
}

/** The whole stack: layers, directions, lengths. */
export function twin(options: RecurrentCase, weights: Weights, input: TwinInput): TwinOutput {
  const isLstm = options.cell === 'lstm';
  let { x } = input;
  if (options.tokens) x = oneHot(x, options.inputSize, { dtype: 'float64' });
  if (options.batchFirst) x = transpose(x, [1, 0, 2]);
  const [steps, batch] = x.shape;
  let rows = Array.from({ length: steps }, (_, t) => at(x, t));
  const lengths: readonly number[] = input.lengths ?? new Array(batch).fill(steps);
  const masks = rows.map((_, t) =>
    tensor(
      Array.from(lengths, (length) => [t < length ? 1 : 0]),
      { dtype: 'float64' },
    ),
  );
  const finals: CellState[] = [];
  for (let layer = 0; layer < options.layers; layer++) {
    const outputs: Tensor[][] = [];
    for (let direction = 0; direction < directions(options); direction++) {
      const suffix = `_l${layer}${direction === 1 ? '_reverse' : ''}`;
      const index = layer * directions(options) + direction;
      let state: CellState = {
        h: input.h0 ? at(input.h0, index) : zeros([batch, outputSize(options)], { dtype: 'float64' }),
        c: isLstm
          ? input.c0
            ? at(input.c0, index)
            : zeros([batch, options.hiddenSize], { dtype: 'float64' })
          : undefined,
      };
      const written: Tensor[] = new Array(steps);
      const order = rows.map((_, t) => (direction === 1 ? steps - 1 - t : t));
      for (const t of order) {
        const next = step(options, weights, suffix, rows[t], state);
        written[t] = mul(next.h, masks[t]);
        state = {
          h: blend(masks[t], next.h, state.h),
          c: state.c && next.c && blend(masks[t], next.c, state.c),
        };
      }
      outputs.push(written);
      finals.push(state);
    }
    rows = rows.map((_, t) => (outputs.length === 1 ? outputs[0][t] : concat([outputs[0][t], outputs[1][t]], 1)));
  }
  const output = stack(rows, 0);
  return {
    output: options.batchFirst ? transpose(output, [1, 0, 2]) : output,
    h: stack(
      finals.map(({ h }) => h),
      0,
    ),
    c: isLstm
      ? stack(
          finals.map(({ c }) => c!),
          0,
        )
      : undefined,
  };
}

/** One step of one layer; the equations of PyTorch's documentation. */
function step(options: RecurrentCase, weights: Weights, suffix: string, x: Tensor, state: CellState): CellState {
  const { cell, hiddenSize: size, cellClip } = options;
  const gates = cell === 'lstm' ? 4 : cell === 'gru' ? 3 : 1;
  const affine = (kind: 'ih' | 'hh', value: Tensor) => {
    const weight = weights.get(`weight_${kind}${suffix}`);
    const bias = weights.get(`bias_${kind}${suffix}`);
    // With skip input the first layer has no matrix: x goes to every gate.
    const product = weight ? matmul(value, transpose(weight)) : concat(new Array(gates).fill(value), 1);
    return bias ? add(product, bias) : product;
  };
  const fromInput = affine('ih', x);
  const fromState = affine('hh', state.h);
  const gate = (value: Tensor, index: number) => slice(value, 1, index * size, (index + 1) * size);
  if (cell === 'gru') {
    const r = sigmoid(add(gate(fromInput, 0), gate(fromState, 0)));
    const z = sigmoid(add(gate(fromInput, 1), gate(fromState, 1)));
    const n = tanh(add(gate(fromInput, 2), mul(r, gate(fromState, 2))));
    return { h: add(mul(sub(1, z), n), mul(z, state.h)) };
  }
  const sum = add(fromInput, fromState);
  if (cell !== 'lstm') return { h: cell === 'rnn_relu' ? relu(sum) : tanh(sum) };
  const [i, f, o] = [0, 1, 3].map((index) => sigmoid(gate(sum, index)));
  let c = add(mul(f, state.c!), mul(i, tanh(gate(sum, 2))));
  if (cellClip > 0) c = clamp(c, -cellClip, cellClip);
  const h = mul(o, tanh(c));
  const projection = weights.get(`weight_hr${suffix}`);
  return { h: projection ? matmul(h, transpose(projection)) : h, c };
}

function blend(mask: Tensor, next: Tensor, before: Tensor): Tensor {
  return add(mul(mask, next), mul(sub(1, mask), before));
}
