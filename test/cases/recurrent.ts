/** The one list of recurrent configurations that fixtures, tests and benches share. */
import { readFileSync } from 'node:fs';
import type { FloatDType } from '../../src/dtype.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { RecurrentStack } from '../../src/nn/recurrent.js';
import { DeepRNN } from '../../src/nn/rnn.js';

export type CellName = 'rnn_tanh' | 'rnn_relu' | 'gru' | 'lstm';
export const CELLS: readonly CellName[] = ['rnn_tanh', 'rnn_relu', 'gru', 'lstm'];

export interface RecurrentCase {
  name: string;
  cell: CellName;
  layers: number;
  bidirectional: boolean;
  bias: boolean | 'single';
  inputMode: 'linear' | 'skip';
  projSize: number;
  cellClip: number;
  batchFirst: boolean;
  /** Whether h0 (and c0) are given. */
  initialState: boolean;
  lengths: number[] | null;
  /** Whether the input is token ids. */
  tokens: boolean;
  steps: number;
  batch: number;
  inputSize: number;
  hiddenSize: number;
  /** What the numbers are compared with: fixtures of PyTorch, or the float64 twin where PyTorch has no such option. */
  oracle: 'torch' | 'twin';
}

const DEFAULTS: Omit<RecurrentCase, 'name' | 'cell'> = {
  layers: 1,
  bidirectional: false,
  bias: true,
  inputMode: 'linear',
  projSize: 0,
  cellClip: 0,
  batchFirst: false,
  initialState: false,
  lengths: null,
  tokens: false,
  steps: 6,
  batch: 3,
  inputSize: 5,
  hiddenSize: 4,
  oracle: 'torch',
};

type Listed = Partial<RecurrentCase> & { name: string; cells: 'all' | CellName[] };

const LISTED: Listed[] = JSON.parse(readFileSync(new URL('recurrent.json', import.meta.url), 'utf8'));

export const RECURRENT_CASES: readonly RecurrentCase[] = LISTED.flatMap(({ cells, ...listed }) =>
  (cells === 'all' ? CELLS : cells).map((cell) => ({ ...DEFAULTS, ...listed, cell })),
);

/** Number of directions. */
export function directions(options: RecurrentCase): number {
  return options.bidirectional ? 2 : 1;
}

/** Width of h, one direction. */
export function outputSize(options: RecurrentCase): number {
  return options.projSize || options.hiddenSize;
}

/** The layer that a case describes. */
export function makeStack(options: RecurrentCase, dtype: FloatDType): RecurrentStack {
  const { cell, layers, bidirectional, bias, inputMode, batchFirst, inputSize, hiddenSize } = options;
  const shared = { layers, bidirectional, bias, inputMode, batchFirst, inputSize, hiddenSize, dtype };
  if (cell === 'lstm') return new DeepLSTM({ ...shared, projSize: options.projSize, cellClip: options.cellClip });
  if (cell === 'gru') return new DeepGRU(shared);
  return new DeepRNN({ ...shared, nonlinearity: cell === 'rnn_relu' ? 'relu' : 'tanh' });
}
