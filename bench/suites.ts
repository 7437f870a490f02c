/** What `npm run bench` measures, by suite. */
import { HEADLINE, MAIN_SUITE, type Workload } from '#bench/workload';

const GRID = [64, 128, 512, 1024].flatMap((hidden) =>
  [1, 8, 32, 128].flatMap((batch) =>
    [1, 2, 4].map((layers): Workload => {
      return { ...HEADLINE, name: `LSTM ${layers}x${hidden}, batch ${batch}`, hidden, batch, layers };
    }),
  ),
);

/** Rows of DeepBench's rnn_bench (`code/kernels/rnn_problems.h`), but with an input product, which PyTorch can't leave out. */
const DEEPBENCH = (
  [
    ['lstm', 256, 32, 150],
    ['lstm', 512, 32, 25],
    ['lstm', 1536, 32, 50],
    ['gru', 512, 32, 1],
    ['gru', 1024, 32, 100],
    ['rnnRelu', 1760, 16, 50],
  ] as const
).map(([cell, hidden, batch, steps]): Workload => {
  const kind = { lstm: 'LSTM', gru: 'GRU', rnnRelu: 'relu RNN' }[cell];
  const name = `${kind} ${hidden}, batch ${batch}, ${steps} step${steps === 1 ? '' : 's'}`;
  return { ...HEADLINE, name, task: 'stack', cell, layers: 1, hidden, batch, steps };
});

/** How cost and memory grow with each dimension of the headline, the others fixed. */
const SCALING = [
  HEADLINE,
  ...[9, 18, 70, 140].map((steps): Workload => ({ ...HEADLINE, name: `LSTM 2x256, ${steps} steps`, steps })),
  ...[1, 3, 4, 6].map((layers): Workload => ({ ...HEADLINE, name: `LSTM ${layers}x256, 35 steps`, layers })),
  ...[128, 384, 512, 768].map((hidden): Workload => ({ ...HEADLINE, name: `LSTM 2x${hidden}, 35 steps`, hidden })),
];

/** `system` has no rows: bench/system.ts measures the process as a whole. */
export const SUITES = { main: MAIN_SUITE, grid: GRID, deepbench: DEEPBENCH, scaling: SCALING, system: [] } as const;
export type SuiteName = keyof typeof SUITES;
