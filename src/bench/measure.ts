/** One row of a table: a workload with this package, beside rivals where there are any, against the device's own peak. */
import { arch, cpus } from 'node:os';
import { type Device, type DevicePeak, device } from '../device.js';
import { type Contestant, median, race, type Timing } from './contestant.js';
import { startOurs } from './ours.js';
import { flopsPerToken, tokensPerRun, type Workload } from './workload.js';

/** Tokens (or characters) a second over the rounds. */
export interface Rate {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Rival extends Rate {
  readonly name: string;
}

export interface Row {
  readonly name: string;
  readonly threads: number;
  readonly precision: Workload['precision'];
  readonly ours: Rate;
  /** 10^9 floating-point operations a second of the median. */
  readonly gigaflops: number;
  /** The peak of the same threads in the row's precision, measured between the rounds; median. */
  readonly peakGigaflops: number;
  /** gigaflops / peakGigaflops */
  readonly shareOfPeak: number;
  /** Median. */
  readonly barrierNanoseconds: number;
  /** The fastest by its median first. */
  readonly rivals?: readonly Rival[];
  /** How many times the fastest rival's rate ours is, the median over the rounds. */
  readonly ratio?: number;
}

/** @param rivals Contestants that do the same work. */
export async function measure(
  workload: Workload,
  cpu: Device,
  rivals: readonly Contestant[],
  timing: Timing,
): Promise<Row> {
  const peaks: DevicePeak[] = [];
  const ours = startOurs(workload, cpu);
  try {
    const seconds = await race([ours, ...rivals], timing, async () => {
      peaks.push(await cpu.measurePeak());
    });
    const tokens = tokensPerRun(workload);
    const [ourRates, ...rivalRates] = seconds.map((rounds) => rounds.map((each) => tokens / each));
    const gigaflops = median(ourRates) * flopsPerToken(workload) * 1e-9;
    const peakGigaflops = median(peaks.map((peak) => peakOf(peak, workload.precision))) * 1e-9;
    const ranked = rivals
      .map(({ name }, i) => ({ name, rates: rivalRates[i] }))
      .sort((a, b) => median(b.rates) - median(a.rates));
    return {
      name: workload.name,
      threads: cpu.threads,
      precision: workload.precision,
      ours: rateOf(ourRates),
      gigaflops,
      peakGigaflops,
      shareOfPeak: gigaflops / peakGigaflops,
      barrierNanoseconds: median(peaks.map(({ barrier }) => barrier)) * 1e9,
      ...(ranked.length > 0 && {
        rivals: ranked.map(({ name, rates }) => ({ name, ...rateOf(rates) })),
        ratio: median(ourRates.map((rate, round) => rate / ranked[0].rates[round])),
      }),
    };
  } finally {
    ours.close();
  }
}

/** The peak with operands of a precision; tensor cores take both kinds of 16 bits alike. */
export function peakOf(peak: DevicePeak, precision: Workload['precision']): number {
  return peak[precision === 'float16' ? 'bfloat16' : precision];
}

function rateOf(rates: readonly number[]): Rate {
  return { median: median(rates), min: Math.min(...rates), max: Math.max(...rates) };
}

const columns = (cells: readonly string[]) =>
  cells
    .map((cell, i) => cell.padEnd([42, 22, 9, 8, 10, 24, 7][i]))
    .join('')
    .trimEnd();

const rateText = ({ median, min, max }: Rate) =>
  [median, min, max]
    .map((rate) => (rate / 1000).toFixed(rate < 10_000 ? 2 : 1))
    .join(' ')
    .replace(/ (.*) (.*)/, ' ($1-$2)');

/** What the measurements run on. */
export function machine(threads: number): string {
  using cpu = device('cpu', { threads });
  return `${cpus()[0]?.model ?? arch()}; ${cpu.description}`;
}

/** The line above the rows; `compared`: with rivals. */
export function heading(compared = false): string {
  return columns([
    'thousands of tokens/s',
    'deep-rnn (min-max)',
    'GFLOP/s',
    '% peak',
    'barrier',
    ...(compared ? ['fastest rival', 'ratio'] : []),
  ]);
}

/** A row as a line of text. */
export function line({ name, ours, gigaflops, shareOfPeak, barrierNanoseconds, rivals, ratio }: Row): string {
  const numbers = [
    rateText(ours),
    gigaflops.toFixed(1),
    (100 * shareOfPeak).toFixed(1),
    `${barrierNanoseconds.toFixed(0)} ns`,
  ];
  const compared = rivals && ratio !== undefined ? [rateText(rivals[0]), ratio.toFixed(2), rivals[0].name] : [];
  return columns([name, ...numbers, ...compared]);
}
