/** What is measured: one row a model, the whole training step of a language model with clipping and SGD. */
export interface Case {
  readonly name: string;
  readonly cell: 'lstm' | 'gru' | 'rnn';
  readonly layers: number;
  readonly hidden: number;
  readonly batch: number;
  readonly steps: number;
  readonly vocabulary: number;
  readonly bidirectional: boolean;
}

const headline = { layers: 2, hidden: 256, batch: 32, steps: 35, vocabulary: 28, bidirectional: false } as const;

export const cases: readonly Case[] = [
  { name: 'LSTM 2x256 (the headline)', cell: 'lstm', ...headline },
  { name: 'GRU 2x256', cell: 'gru', ...headline },
  { name: 'RNN 2x256', cell: 'rnn', ...headline },
  { name: 'LSTM 2x256 bidirectional', cell: 'lstm', ...headline, bidirectional: true },
  { name: 'LSTM 2x64, batch 16', cell: 'lstm', ...headline, hidden: 64, batch: 16 },
];

/** Floating-point operations of one training step, token input counted as a gather (no product with the one-hot matrix). */
export function trainingFlops({ cell, layers, hidden, batch, steps, vocabulary, bidirectional }: Case): number {
  const gates = { lstm: 4, gru: 3, rnn: 1 }[cell];
  const directions = bidirectional ? 2 : 1;
  const recurrent = layers * directions * 2 * gates * hidden * hidden;
  const input = (layers - 1) * directions * 2 * gates * hidden * (directions * hidden);
  const head = 2 * directions * hidden * vocabulary;
  return 3 * (recurrent + input + head) * batch * steps;
}
