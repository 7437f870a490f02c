/** Training as a guest of the system: with a core taken away, from a cold start, and in how much memory. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Device, device } from 'deep-rnn';
import { median, race, type Timing } from '#bench/contestant';
import { startOurs } from '#bench/ours';
import { HEADLINE } from '#bench/workload';

const COLD_STARTS = 7;
const STEPS_OF_MEMORY = 100;

export interface System {
  /** The headline's rate beside a busy loop pinned to one core, as a share of the undisturbed one; median over the rounds. */
  readonly besideBusyLoop: number;
  /** From the start of a process to its first finished training step: in all, and its parts. Medians of cold processes. */
  readonly coldStart: { readonly milliseconds: number; readonly parts: Readonly<Record<string, number>> };
  /** Of a process that trains the headline. */
  readonly peakResidentMebibytes: number;
  /** Blocks taken from the system in a steady step of the headline. */
  readonly allocationsPerStep: number;
}

export async function measureSystem(threads: number, timing: Timing): Promise<System> {
  const runs = Array.from({ length: COLD_STARTS }, () => firstStep(1));
  const parts = Object.keys(runs[0].milliseconds);
  using cpu = device('cpu', { threads });
  return {
    besideBusyLoop: await besideBusyLoop(cpu, timing),
    coldStart: {
      milliseconds: median(runs.map(({ elapsed }) => elapsed)),
      parts: Object.fromEntries(parts.map((part) => [part, median(runs.map((run) => run.milliseconds[part]))])),
    },
    peakResidentMebibytes: firstStep(STEPS_OF_MEMORY).peakResident / 2 ** 20,
    allocationsPerStep: await allocationsPerStep(cpu),
  };
}

/** As lines of text. */
export function systemLines({
  besideBusyLoop,
  coldStart,
  peakResidentMebibytes,
  allocationsPerStep,
}: System): string[] {
  const parts = Object.entries(coldStart.parts).map(([name, milliseconds]) => `${name} ${milliseconds.toFixed(0)}`);
  return [
    `beside a busy loop on one core       ${(100 * besideBusyLoop).toFixed(0)} % of the undisturbed rate`,
    `cold process to first finished step  ${coldStart.milliseconds.toFixed(0)} ms (${parts.join(', ')})`,
    `peak resident memory                 ${peakResidentMebibytes.toFixed(0)} MiB`,
    `allocations in a steady step         ${allocationsPerStep}`,
  ];
}

interface FirstStep {
  /** Milliseconds from its start to the end of its last step. */
  elapsed: number;
  milliseconds: Record<string, number>;
  peakResident: number;
}

/** A process that trains the headline for so many steps. */
function firstStep(steps: number): FirstStep {
  const script = fileURLToPath(new URL('first-step.js', import.meta.url));
  // Node reads certificates that the environment adds before it runs anything, which takes longer than a step.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const start = Number(process.hrtime.bigint()) / 1e6;
  const { stdout, status } = spawnSync(process.execPath, [script, String(steps)], { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${script} ended with status ${status}`);
  const { finished, ...rest } = JSON.parse(stdout);
  return { elapsed: finished - start, ...rest };
}

async function besideBusyLoop(cpu: Device, timing: Timing): Promise<number> {
  const ours = startOurs(HEADLINE, cpu);
  let loop: ChildProcess | undefined;
  const stop = async () => {
    if (loop === undefined) return;
    loop.kill('SIGKILL');
    await once(loop, 'exit');
    loop = undefined;
  };
  const alone = { ...ours, name: 'alone', run: (count: number) => stop().then(() => ours.run(count)) };
  const disturbed = {
    ...ours,
    name: 'disturbed',
    async run(count: number) {
      loop ??= await busyLoop();
      return ours.run(count);
    },
  };
  try {
    const [undisturbed, beside] = await race([alone, disturbed], timing);
    return median(undisturbed.map((seconds, round) => seconds / beside[round]));
  } finally {
    await stop();
    ours.close();
  }
}

/** A process that keeps one core busy: the last one, where taskset can choose it. */
async function busyLoop(): Promise<ChildProcess> {
  const command = [process.execPath, '-e', 'for (;;);'];
  const pinned = spawnSync('taskset', ['--version']).status === 0;
  const [program, ...args] = pinned ? ['taskset', '-c', String(availableParallelism() - 1), ...command] : command;
  const loop = spawn(program, args, { stdio: 'ignore' });
  await once(loop, 'spawn');
  return loop;
}

async function allocationsPerStep(cpu: Device): Promise<number> {
  const ours = startOurs(HEADLINE, cpu);
  try {
    await ours.run(3);
    const before = cpu.memory().systemAllocations;
    const steps = 10;
    await ours.run(steps);
    return (cpu.memory().systemAllocations - before) / steps;
  } finally {
    ours.close();
  }
}
