/** What `deep-rnn bench --device cuda` times, with what others have published of the same shapes. */
import { HEADLINE, type Workload } from './workload.js';

/** Milliseconds of passes, or tokens a second, as somebody published them. */
export interface Published {
  readonly source: string;
  readonly forward?: number;
  readonly backwardData?: number;
  readonly backwardWeights?: number;
  readonly step?: number;
  readonly tokensPerSecond?: number;
}

export interface CudaWorkload extends Workload {
  readonly published?: Published;
}

const D2L = { source: 'D2L, MXNet on a GPU, SGD', tokensPerSecond: 137_071 };

const stack = (name: string, shape: Partial<Workload>, published?: Published): CudaWorkload => ({
  ...HEADLINE,
  task: 'stack',
  layers: 1,
  name,
  ...shape,
  published,
});

/** DeepBench's numbers of a V100, cuDNN 7.6.2, STANDARD, skip input; `half` is its float16 with float32 sums. */
function deepBench(
  name: string,
  shape: Pick<Workload, 'hidden' | 'batch' | 'steps'> & Partial<Workload>,
  float32: readonly [number, number, number] | null,
  half: readonly [number, number, number] | null,
): CudaWorkload[] {
  const row = (precision: Workload['precision'], times: readonly [number, number, number]) => {
    const [forward, backwardData, backwardWeights] = times;
    return stack(name, { ...shape, precision }, { source: 'DeepBench, V100', forward, backwardData, backwardWeights });
  };
  return [...(float32 ? [row('float32', float32)] : []), ...(half ? [row('float16', half)] : [])];
}

const PRECISIONS = ['float32', 'tf32', 'bfloat16', 'float16'] as const;

/** The headline in all precisions as a whole training step and as a stack alone; DeepBench's training shapes; FlashRNN's. */
export const CUDA_SUITE: readonly CudaWorkload[] = [
  ...PRECISIONS.map(
    (precision): CudaWorkload => ({ ...HEADLINE, name: 'LSTM 2x256, 32x35', precision, published: D2L }),
  ),
  ...PRECISIONS.map((precision) => stack('LSTM 2x256, 32x35', { precision, layers: 2 })),
  ...deepBench(
    'LSTM 256, 32x150',
    { hidden: 256, batch: 32, steps: 150 },
    [4.899, 5.476, 0.404],
    [4.177, 4.703, 0.133],
  ),
  ...deepBench('LSTM 512, 32x25', { hidden: 512, batch: 32, steps: 25 }, [1.144, 1.014, 0.271], [0.804, 0.954, 0.07]),
  ...deepBench(
    'LSTM 1024, 32x25',
    { hidden: 1024, batch: 32, steps: 25 },
    [1.978, 1.746, 0.698],
    [1.279, 1.484, 0.227],
  ),
  ...deepBench('LSTM 1024, 128x25', { hidden: 1024, batch: 128, steps: 25 }, null, [1.627, 1.7, 0.516]),
  ...deepBench('LSTM 4096, 128x25', { hidden: 4096, batch: 128, steps: 25 }, null, [6.64, 5.92, 4.6]),
  ...deepBench('LSTM 1536, 32x50', { hidden: 1536, batch: 32, steps: 50 }, null, [3.878, 3.595, 0.576]),
  ...deepBench('GRU 1024, 32x1500', { cell: 'gru', hidden: 1024, batch: 32, steps: 1500 }, null, [40.1, 46.6, 4.1]),
  ...deepBench('GRU 2816, 32x1500', { cell: 'gru', hidden: 2816, batch: 32, steps: 1500 }, null, [180.3, 132.4, 24.7]),
  ...deepBench('RNN 1760, 32x50', { cell: 'rnnTanh', hidden: 1760, batch: 32, steps: 50 }, null, [2.974, 2.427, 0.309]),
  ...(['float16', 'bfloat16', 'float32'] as const).map((precision) =>
    stack(
      'LSTM 768, 16x1024',
      { precision, hidden: 768, batch: 16, steps: 1024 },
      precision === 'float16' ? { source: 'FlashRNN, H100, nn.LSTM', forward: 2.01, step: 5.19 } : undefined,
    ),
  ),
];

/** The rows of `verify-gpu`: one of each kind. */
export const CUDA_SHORT_SUITE: readonly CudaWorkload[] = CUDA_SUITE.filter(
  ({ name, precision, task }) =>
    name === 'LSTM 2x256, 32x35' ||
    (task === 'stack' && ['LSTM 1024, 32x25', 'LSTM 768, 16x1024'].includes(name) && precision !== 'bfloat16'),
);

/** The same work with sizes for the tests' stand-in, which is no GPU. */
export function shrunk(workload: CudaWorkload): CudaWorkload {
  return { ...workload, hidden: 8, batch: 2, steps: 3 };
}
