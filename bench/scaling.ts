/** What a row costs beside what the formulas say: time by operations, memory by the formula of docs/cpu-backend.md. */
import { type Device, device } from 'deep-rnn';
import { median, race, type Timing } from '#bench/contestant';
import { trainingMemory } from '#bench/memory';
import { startOurs } from '#bench/ours';
import { flopsPerToken, HEADLINE, tokensPerRun, type Workload } from '#bench/workload';

export interface Scaling {
  readonly nanosecondsPerToken: number;
  /** How many times the headline's, with which it took turns; the median over the rounds. */
  readonly cost: number;
  /** The same by operations. */
  readonly costByFlops: number;
  /** Buffers at their peak, and scratch memory. */
  readonly mebibytes: number;
  readonly mebibytesByFormula: number;
}

/** @param alone A device on which only this workload ran; its memory is looked at. */
export async function measureScaling(workload: Workload, alone: Device, timing: Timing): Promise<Scaling> {
  const { peak, scratch } = alone.memory();
  const { parameters, reserve, activations, scratch: packed } = trainingMemory(workload);
  // When an optimizer first moves the parameters into one buffer, they and their gradients are there twice.
  const bytes = Math.max(parameters + reserve + activations, 2 * parameters) + packed;
  using shared = device('cpu', { threads: alone.threads });
  const contestants = [startOurs(workload, shared), startOurs(HEADLINE, shared)];
  try {
    const [ours, headline] = await race(contestants, timing);
    const perToken = ours.map((seconds) => seconds / tokensPerRun(workload));
    const perHeadlineToken = headline.map((seconds) => seconds / tokensPerRun(HEADLINE));
    return {
      nanosecondsPerToken: 1e9 * median(perToken),
      cost: median(perToken.map((seconds, round) => seconds / perHeadlineToken[round])),
      costByFlops: flopsPerToken(workload) / flopsPerToken(HEADLINE),
      mebibytes: (peak + scratch) / 2 ** 20,
      mebibytesByFormula: bytes / 2 ** 20,
    };
  } finally {
    for (const contestant of contestants) contestant.close();
  }
}

/** A table of the rows that have this, costs relative to the headline's; none: no lines. */
export function scalingLines(rows: readonly { name: string; scaling?: Scaling }[]): string[] {
  const measured = rows.flatMap(({ name, scaling }) => (scaling ? [{ name, ...scaling }] : []));
  if (measured.length === 0) return [];
  const columns = ['us a token', 'relative', 'by FLOPs', 'of FLOPs', 'MiB a step', 'formula'];
  const line = (name: string, cells: readonly string[]) =>
    name.padEnd(42) + cells.map((cell) => cell.padStart(12)).join('');
  return [
    '',
    line('cost', columns),
    ...measured.map(({ name, nanosecondsPerToken, cost, costByFlops, mebibytes, mebibytesByFormula }) =>
      line(name, [
        (nanosecondsPerToken / 1000).toFixed(2),
        cost.toFixed(2),
        costByFlops.toFixed(2),
        `${((100 * cost) / costByFlops).toFixed(0)} %`,
        mebibytes.toFixed(1),
        mebibytesByFormula.toFixed(1),
      ]),
    ),
  ];
}
