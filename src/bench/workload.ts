/** Work that `deep-rnn bench` and the repository's own benchmarks time. This file: what there is to do, and what it costs. */

/** Work on one model. Letters of the dimensions in brackets. */
export interface Workload {
  readonly name: string;
  /**
   * `train`: the step of a language model with token input: forward, loss, backward, clipping, SGD. `stack`: forward and
   * backward of the recurrent stack alone, with vectors of the hidden size as input. `generate`: one character after another,
   * batch 1, the likeliest each time.
   */
  readonly task: 'train' | 'stack' | 'generate';
  /** Of the operands of the recurrent products; a CPU has the first two. */
  readonly precision: 'float32' | 'bfloat16' | 'float16' | 'tf32';
  readonly cell: 'lstm' | 'gru' | 'rnnTanh' | 'rnnRelu';
  /** L */
  readonly layers: number;
  /** H */
  readonly hidden: number;
  /** P; 0: no projection. */
  readonly projection: number;
  readonly bidirectional: boolean;
  /** B */
  readonly batch: number;
  /** T */
  readonly steps: number;
  /** V */
  readonly vocabulary: number;
  /** Steps of each of the B sequences; absent: all T. */
  readonly lengths?: readonly number[];
  /** Where this differs from what the run was asked for. */
  readonly threads?: number;
}

/** D2L's deep LSTM. */
export const HEADLINE: Workload = {
  name: 'LSTM 2x256, batch 32',
  task: 'train',
  precision: 'float32',
  cell: 'lstm',
  layers: 2,
  hidden: 256,
  projection: 0,
  bidirectional: false,
  batch: 32,
  steps: 35,
  vocabulary: 28,
};

/** B lengths, uniform from 1 to T, the same in every run. */
export function uniformLengths(batch: number, steps: number): number[] {
  // Multiples of the golden ratio are spread evenly over the unit interval.
  return Array.from({ length: batch }, (_, i) => 1 + Math.floor((((i + 1) * 0.6180339887) % 1) * steps));
}

const FLOAT32_ROWS: readonly Workload[] = [
  HEADLINE,
  { ...HEADLINE, name: 'GRU 2x256, batch 32', cell: 'gru' },
  { ...HEADLINE, name: 'RNN 2x256, batch 32', cell: 'rnnTanh' },
  { ...HEADLINE, name: 'LSTM 2x256 bidirectional', bidirectional: true },
  { ...HEADLINE, name: 'LSTM 2x256, lengths 1..35', lengths: uniformLengths(HEADLINE.batch, HEADLINE.steps) },
  { ...HEADLINE, name: 'LSTM 2x256, projected to 128', projection: 128 },
  { ...HEADLINE, name: 'LSTM 3x512, batch 64', layers: 3, hidden: 512, batch: 64 },
  { ...HEADLINE, name: 'LSTM 2x1024, batch 64', hidden: 1024, batch: 64 },
  { ...HEADLINE, name: 'LSTM 2x64, batch 16', hidden: 64, batch: 16 },
  ...[256, 64].flatMap((hidden) =>
    [1, 2].map((threads): Workload => {
      const name = `generate, LSTM 2x${hidden}, ${threads} thread${threads === 1 ? '' : 's'}`;
      return { ...HEADLINE, name, task: 'generate', hidden, batch: 1, threads };
    }),
  ),
];

/** What a user is likely to train, and generation, in both precisions. */
export const MAIN_SUITE: readonly Workload[] = [
  ...FLOAT32_ROWS,
  ...FLOAT32_ROWS.filter(({ lengths, projection }) => lengths === undefined && projection === 0).map(
    (row): Workload => ({ ...row, name: `${row.name}, bfloat16`, precision: 'bfloat16' }),
  ),
];

/** What one run of a workload is counted in: characters of `generate`, else the tokens of a step. */
export function tokensPerRun({ task, batch, steps, lengths }: Workload): number {
  if (task === 'generate') return 1;
  return lengths?.reduce((sum, length) => sum + length, 0) ?? batch * steps;
}

/**
 * Floating-point operations of the products for one token, a multiply-add counted as two. Token input is a gather, so the first
 * layer has no input product there. The backward pass does each product twice more: for the input and for the weights.
 */
export function flopsPerToken(workload: Workload): number {
  const { task, cell, layers, hidden, projection, bidirectional, vocabulary } = workload;
  const gates = { lstm: 4, gru: 3, rnnTanh: 1, rnnRelu: 1 }[cell];
  const directions = bidirectional ? 2 : 1;
  const output = projection || hidden;
  const recurrent = layers * (gates * hidden * output + hidden * projection);
  const input = (layers - 1) * gates * hidden * directions * output + (task === 'stack' ? gates * hidden * hidden : 0);
  const head = task === 'stack' ? 0 : directions * output * vocabulary;
  const forward = 2 * (directions * (recurrent + input) + head);
  return task === 'generate' ? forward : 3 * forward;
}
