/** What a row costs beside what the formulas say: time by operations, memory by the formula of docs/cpu-backend.md. */
import type { DeviceMemory } from 'deep-rnn';
import type { Row } from '#bench/measure';
import { trainingMemory } from '#bench/memory';
import { flopsPerToken, type Workload } from '#bench/workload';

export interface Scaling {
  readonly nanosecondsPerToken: number;
  readonly megaflopsPerToken: number;
  /** Buffers at their peak, and scratch memory. */
  readonly mebibytes: number;
  readonly mebibytesByFormula: number;
}

/** @param memory Of a device on which only this row ran. */
export function scalingOf(row: Row, workload: Workload, { peak, scratch }: DeviceMemory): Scaling {
  const bytes = Object.values(trainingMemory(workload)).reduce((sum: number, part: number) => sum + part, 0);
  return {
    nanosecondsPerToken: 1e9 / row.ours.median,
    megaflopsPerToken: flopsPerToken(workload) / 1e6,
    mebibytes: (peak + scratch) / 2 ** 20,
    mebibytesByFormula: bytes / 2 ** 20,
  };
}

/** A table of the rows that have this, costs relative to the first; none: no lines. */
export function scalingLines(rows: readonly { name: string; scaling?: Scaling }[]): string[] {
  const measured = rows.flatMap(({ name, scaling }) => (scaling ? [{ name, ...scaling }] : []));
  if (measured.length === 0) return [];
  const [first] = measured;
  const columns = ['us a token', 'relative', 'by FLOPs', 'MiB a step', 'formula'];
  const line = (name: string, cells: readonly string[]) =>
    name.padEnd(42) + cells.map((cell) => cell.padStart(12)).join('');
  return [
    '',
    line('cost', columns),
    ...measured.map(({ name, nanosecondsPerToken, megaflopsPerToken, mebibytes, mebibytesByFormula }) =>
      line(name, [
        (nanosecondsPerToken / 1000).toFixed(2),
        (nanosecondsPerToken / first.nanosecondsPerToken).toFixed(2),
        (megaflopsPerToken / first.megaflopsPerToken).toFixed(2),
        mebibytes.toFixed(1),
        mebibytesByFormula.toFixed(1),
      ]),
    ),
  ];
}
