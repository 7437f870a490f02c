/** The libraries that a run may be compared with, and how each of their modes becomes a contestant. */
import { spawnSync } from 'node:child_process';
import type { Contestant } from '#bench/contestant';
import type { Workload } from '#bench/workload';
import { PeerProcess } from './peer-process.js';

/** What there is to know about a peer; its file in bench/peers does the work. */
interface PeerKind {
  readonly title: string;
  /** Its file, and what this is told before mode and threads. */
  readonly script: readonly string[];
  /** What its Python must be able to import. */
  readonly modules: string;
  /** The variable that names its Python. */
  readonly variable: string;
  /** The ways in which it can do a workload; `compile` allows those that take minutes to begin. */
  modes(workload: Workload, compile: boolean): string[];
}

export const PEERS = {
  pytorch: {
    title: 'PyTorch',
    script: ['pytorch.py'],
    modules: 'torch',
    variable: 'DEEP_RNN_PYTHON',
    // Packed sequences leave the steps past a length out; padded ones take a faster kernel and leave the loss of these out.
    modes: ({ lengths }, compile) => ['eager', ...(lengths ? ['padded'] : []), ...(compile ? ['compile'] : [])],
  },
  'keras-tensorflow': {
    title: 'Keras on TensorFlow',
    script: ['keras_peer.py', 'tensorflow'],
    modules: 'keras, tensorflow',
    variable: 'DEEP_RNN_PYTHON_KERAS',
    modes: () => ['graph', 'xla'],
  },
  'keras-jax': {
    title: 'Keras on JAX',
    script: ['keras_peer.py', 'jax'],
    modules: 'keras, jax',
    variable: 'DEEP_RNN_PYTHON_KERAS',
    modes: () => ['jit'],
  },
} as const satisfies Record<string, PeerKind>;
export type PeerName = keyof typeof PEERS;

/** A rival that cannot do a row, and why. */
export interface Absence {
  readonly name: string;
  readonly reason: string;
}

/** Thrown by a contestant whose peer failed while the race was on. */
export class PeerFailure extends Error {
  constructor(
    readonly rival: string,
    reason: string,
  ) {
    super(reason);
  }
}

/** One library, in a process for each mode. */
export class Peer {
  private readonly processes = new Map<string, { threads: number; process: PeerProcess }>();

  private constructor(
    private readonly kind: PeerKind,
    private readonly python: string,
    private readonly root: string,
    readonly version: string,
  ) {}

  get title(): string {
    return this.kind.title;
  }

  /**
   * @param root The package's root.
   * @returns undefined where no Python has it: what its variable names, else `DEEP_RNN_PYTHON`, else python3.
   */
  static async find(name: PeerName, root: string): Promise<Peer | undefined> {
    const kind: PeerKind = PEERS[name];
    const candidates = [process.env[kind.variable], process.env.DEEP_RNN_PYTHON, 'python3'];
    const imports = ['-c', `import ${kind.modules}`];
    const python = candidates.find((each) => each && spawnSync(each, imports, { stdio: 'ignore' }).status === 0);
    if (python === undefined) return undefined;
    const [mode] = kind.modes({} as Workload, false);
    const first = new PeerProcess(python, [...scriptOf(kind, root), mode, '1']);
    const version = await first.version();
    first.stop();
    return new Peer(kind, python, root, version);
  }

  /**
   * A contestant for each way in which it can do this, and why the others can't.
   *
   * @param limit Seconds in which each must have built, compiled and done its work once.
   */
  async contestants(
    workload: Workload,
    threads: number,
    { compile, limit }: { compile: boolean; limit: number },
  ): Promise<{ contestants: Contestant[]; absences: Absence[] }> {
    const contestants: Contestant[] = [];
    const absences: Absence[] = [];
    for (const mode of this.kind.modes(workload, compile)) {
      const name = `${this.title} ${mode}`;
      try {
        const peer = await this.processOf(mode, threads);
        await peer.ask({ open: workload }, limit);
        const run = (count: number) =>
          peer.ask<number>({ run: count }).catch((error: Error) => {
            throw new PeerFailure(name, error.message);
          });
        contestants.push({ name, run, close: () => void peer.ask({ close: true }).catch(() => peer.stop()) });
      } catch (error) {
        absences.push({ name, reason: (error as Error).message });
      }
    }
    return { contestants, absences };
  }

  stop(): void {
    for (const { process } of this.processes.values()) process.stop();
  }

  /** Most libraries fix their threads when they start. */
  private async processOf(mode: string, threads: number): Promise<PeerProcess> {
    const before = this.processes.get(mode);
    if (before?.threads === threads && before.process.running) return before.process;
    before?.process.stop();
    const process = new PeerProcess(this.python, [...scriptOf(this.kind, this.root), mode, String(threads)]);
    this.processes.set(mode, { threads, process });
    await process.version();
    return process;
  }
}

function scriptOf({ script: [file, ...args] }: PeerKind, root: string): string[] {
  return [`${root}/bench/peers/${file}`, ...args];
}
