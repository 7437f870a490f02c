/** Starts a competitor as a child process that runs training steps on demand, so that both are timed in turn in one run. */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Case } from './cases.js';

export interface Peer {
  readonly name: string;
  /** Runs `count` training steps and gives the seconds they took. */
  run(count: number): Promise<number>;
  close(): void;
}

/** The Python that has PyTorch: `DEEP_RNN_PYTHON`, else python3, else undefined. */
export function findPython(): string | undefined {
  const candidates = [process.env.DEEP_RNN_PYTHON, 'python3'];
  return candidates.find(
    (python) => python && spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0,
  );
}

/** PyTorch on one case. `root` is the package's root. */
export async function startPyTorch(python: string, root: string, test: Case, threads: number): Promise<Peer> {
  const child = spawn(python, [`${root}/bench/peers/pytorch.py`], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async <T>(question: unknown): Promise<T> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('PyTorch stopped before it answered');
    return JSON.parse(value) as T;
  };
  const { name } = await ask<{ name: string }>({ ...test, threads });
  return {
    name,
    run: (count) => ask<number>(count),
    close: () => child.stdin.end(),
  };
}
