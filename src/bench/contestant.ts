/** Timing of several programs in turn, so that whatever the machine does meanwhile meets all of them. */

export interface Contestant {
  readonly name: string;
  /** Does its work `count` times and gives the seconds that took. */
  run(count: number): Promise<number>;
  close(): void;
}

export interface Timing {
  readonly rounds: number;
  /** Of each contestant in each round, about. */
  readonly seconds: number;
}

/**
 * Runs a step `count` times, with one more on its way while a result is awaited, as the Trainer does.
 *
 * @returns The seconds until all have been computed and every result has been read.
 */
export async function timeSteps(step: () => Promise<unknown>, count: number): Promise<number> {
  const start = performance.now();
  let before: Promise<unknown> = Promise.resolve();
  for (let i = 0; i < count; i++) {
    const now = step();
    await before;
    before = now;
  }
  await before;
  return (performance.now() - start) / 1000;
}

/**
 * @param between Called before each round.
 * @returns The seconds that each contestant's work takes, by contestant and round.
 */
export async function race(
  contestants: readonly Contestant[],
  { rounds, seconds }: Timing,
  between: () => Promise<void> = async () => {},
): Promise<number[][]> {
  const counts: number[] = [];
  for (const contestant of contestants) counts.push(await countFor(contestant, seconds));
  const taken: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    await between();
    for (const [i, contestant] of contestants.entries()) taken[i].push((await contestant.run(counts[i])) / counts[i]);
  }
  return taken;
}

/** Runs after which a device has chosen how its threads share a pass. */
const WARM_UP = 16;

/** How often a contestant does its work in about so many seconds; warms it up too. */
async function countFor(contestant: Contestant, seconds: number): Promise<number> {
  await contestant.run(WARM_UP);
  for (let count = 1; ; count *= 4) {
    const taken = await contestant.run(count);
    if (taken > seconds / 8) return Math.max(1, Math.round((count * seconds) / taken));
  }
}

/** The middle value; of an even count the upper one of the two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
