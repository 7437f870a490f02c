/** One row of `deep-rnn bench --device cuda`: this package beside the same calls of cuDNN in a bare loop. */
import type { Device, DevicePeak } from '../device.js';
import { ALGORITHM, BIAS_MODE, CELL, DTYPE_CODE, INPUT_MODE, PRECISION } from '../native/binding.js';
import { median, race, type Timing } from './contestant.js';
import type { CudaWorkload, Published } from './cuda-suite.js';
import { peakOf } from './measure.js';
import { startOurs } from './ours.js';
import { flopsPerToken, tokensPerRun, type Workload } from './workload.js';

/** In the order of cudnnRNNAlgo_t. */
export const ALGORITHMS = ['STANDARD', 'PERSIST_STATIC', 'PERSIST_DYNAMIC', 'PERSIST_STATIC_SMALL_H'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Milliseconds of cuDNN's calls of one training pass, alone in a loop. */
export interface BarePass {
  readonly forward: number;
  readonly backwardData: number;
  readonly backwardWeights: number;
  /** The three between two events, and of a step on the host's clock with many on their way. */
  readonly step: number;
  readonly wall: number;
}

/** How fast one workload is. Without a real GPU the times say nothing about one. */
export interface CudaRow {
  readonly name: string;
  readonly task: Workload['task'];
  readonly precision: Workload['precision'];
  /** By algorithm; a text is cuDNN's refusal. */
  readonly bare: Readonly<Record<Algorithm, BarePass | string>>;
  /** Milliseconds of a step of this package: of `stack` forward and backward, of `train` with loss, clipping and SGD. */
  readonly step: number;
  readonly tokensPerSecond: number;
  /** 10^12 floating-point operations a second. */
  readonly teraflops: number;
  /** Of the card's measured peak in this precision. */
  readonly shareOfPeak: number;
  /** Microseconds for each step of each layer, forward and backward together. */
  readonly microsecondsPerCell: number;
  /**
   * Of the latency bound: 2·T·L kernels, one for each step of each layer forward and backward, each of which waits for the one
   * before it and computes nothing, divided by the step. Persistent kernels can go beyond 1.
   */
  readonly shareOfLatencyBound: number;
  /** Step / the fastest bare loop of a step, on the same clock; 1: nothing is lost. */
  readonly overhead: number;
  readonly published?: Published;
}

/** The 13 numbers of registerRnn. */
function descriptor({ task, cell, layers, hidden, projection, bidirectional, precision, vocabulary }: Workload) {
  const inputSize = task === 'stack' ? hidden : vocabulary;
  return Float64Array.of(
    CELL[cell],
    inputSize,
    hidden,
    projection,
    layers,
    Number(bidirectional),
    INPUT_MODE.linear,
    BIAS_MODE.double,
    0,
    0,
    DTYPE_CODE.float32,
    PRECISION[precision === 'float32' ? 'same' : precision],
    ALGORITHM.auto,
  );
}

function bareLoop(workload: CudaWorkload, device: Device, rounds: number): Record<Algorithm, BarePass | string> {
  const { steps, batch } = workload;
  const of = (algorithm: Algorithm): BarePass | string => {
    try {
      const code = ALGORITHMS.indexOf(algorithm);
      const times = device.binding.cudaBareLoop(descriptor(workload), code, steps, batch, rounds);
      const [forward, backwardData, backwardWeights, step, wall] = Array.from(times, (seconds) => seconds * 1000);
      return { forward, backwardData, backwardWeights, step, wall };
    } catch (error) {
      return (error as Error).message;
    }
  };
  return Object.fromEntries(ALGORITHMS.map((algorithm) => [algorithm, of(algorithm)])) as Record<
    Algorithm,
    BarePass | string
  >;
}

/** The passes that cuDNN did not refuse. */
export function passesOf(row: Pick<CudaRow, 'bare'>): [Algorithm, BarePass][] {
  return ALGORITHMS.flatMap((algorithm) => {
    const pass = row.bare[algorithm];
    return typeof pass === 'string' ? [] : [[algorithm, pass] as [Algorithm, BarePass]];
  });
}

/** @param peak of the device. */
export async function measureCuda(
  workload: CudaWorkload,
  device: Device,
  peak: DevicePeak,
  timing: Timing & { bareRounds: number },
): Promise<CudaRow> {
  const bare = bareLoop(workload, device, timing.bareRounds);
  const ours = startOurs(workload, device);
  try {
    const [seconds] = await race([ours], timing);
    const step = median(seconds);
    const { name, task, precision, layers, steps, published } = workload;
    const tokensPerSecond = tokensPerRun(workload) / step;
    const flops = tokensPerSecond * flopsPerToken(workload);
    const cells = steps * layers;
    const fastest = Math.min(...passesOf({ bare }).map(([, { wall }]) => wall));
    return {
      name,
      task,
      precision,
      bare,
      step: step * 1000,
      tokensPerSecond,
      teraflops: flops * 1e-12,
      shareOfPeak: flops / peakOf(peak, precision),
      microsecondsPerCell: (step / cells) * 1e6,
      shareOfLatencyBound: (2 * cells * peak.barrier) / step,
      overhead: (step * 1000) / fastest,
      ...(published && { published }),
    };
  } finally {
    ours.close();
  }
}

const milliseconds = (time: number) => time.toFixed(time < 10 ? 3 : 1);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function publishedText({ source, forward, backwardData, backwardWeights, step, tokensPerSecond }: Published): string {
  if (tokensPerSecond !== undefined) return `${tokensPerSecond} tokens/s (${source})`;
  const passes = [forward, backwardData, backwardWeights].filter((time) => time !== undefined).join(' / ');
  return `${passes}${step === undefined ? '' : `, step ${step}`} ms (${source})`;
}

const COLUMNS = [
  'row',
  'precision',
  'step ms',
  'tokens/s',
  'TFLOP/s',
  'of peak',
  'µs a cell',
  'of the latency bound',
  'step / bare',
  'cuDNN alone: forward / data / weights ms',
  'published',
];

/** A table in Markdown: a line for each row, under it one for each further algorithm. */
export function cudaTable(rows: readonly CudaRow[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const lines = rows.map((row) => {
    const alone = passesOf(row)
      .map(([algorithm, pass]) => {
        const times = [pass.forward, pass.backwardData, pass.backwardWeights].map(milliseconds).join(' / ');
        return `${algorithm} ${times}`;
      })
      .join('; ');
    return line([
      `${row.name}${row.task === 'train' ? ', training step' : ''}`,
      row.precision,
      milliseconds(row.step),
      row.tokensPerSecond.toFixed(0),
      row.teraflops.toFixed(2),
      percent(row.shareOfPeak),
      row.microsecondsPerCell.toFixed(2),
      percent(row.shareOfLatencyBound),
      row.overhead.toFixed(3),
      alone,
      row.published ? publishedText(row.published) : '',
    ]);
  });
  return [line(COLUMNS), line(COLUMNS.map(() => '---')), ...lines].join('\n');
}

/** The peaks that shares are of, in a line. */
export function peakText({ float32, tf32, bfloat16, copy, barrier }: DevicePeak): string {
  const tera = (rate: number) => (rate * 1e-12).toFixed(1);
  return (
    `Measured peaks: ${tera(float32)} TFLOP/s in float32, ${tera(tf32)} in TF32, ${tera(bfloat16)} in bfloat16, ` +
    `${(copy * 1e-9).toFixed(0)} GB/s copied, ${(barrier * 1e6).toFixed(2)} µs from a kernel to the next.`
  );
}
