/** Starts PyTorch as a child process that does the same work on demand, so that both are timed in turn in one run. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Contestant } from '#bench/contestant';
import type { Workload } from '#bench/workload';

/** The Python that has PyTorch: `DEEP_RNN_PYTHON`, else python3, else undefined. */
export function findPython(): string | undefined {
  const candidates = [process.env.DEEP_RNN_PYTHON, 'python3'];
  return candidates.find(
    (python) => python && spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0,
  );
}

/** bench/peers/pytorch.py: a line of JSON for each question, and one for its answer. */
export class PyTorch {
  readonly version: string;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly answers: AsyncIterator<string>;

  private constructor(child: PyTorch['child'], answers: AsyncIterator<string>, version: string) {
    this.child = child;
    this.answers = answers;
    this.version = version;
  }

  /** @param root The package's root. */
  static async start(python: string, root: string): Promise<PyTorch> {
    const child = spawn(python, [`${root}/bench/peers/pytorch.py`], { stdio: ['pipe', 'pipe', 'inherit'] });
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return new PyTorch(child, answers, await next(answers));
  }

  /** A contestant for each way in which PyTorch can do this. */
  async contestants(workload: Workload, threads: number, compile: boolean): Promise<Contestant[]> {
    const modes = ['eager'];
    // Packed sequences leave the steps past a length out; padded ones take a faster kernel and leave the loss of these out.
    if (workload.lengths) modes.push('padded');
    if (compile && workload.task !== 'generate') modes.push('compile');
    const contestants: Contestant[] = [];
    for (const mode of modes) {
      const id = await this.ask<number>({ open: { ...workload, mode, threads } });
      contestants.push({
        name: mode,
        run: (count) => this.ask<number>({ run: id, count }),
        close: () => this.child.stdin.write(`${JSON.stringify({ close: id })}\n`),
      });
    }
    return contestants;
  }

  stop(): void {
    this.child.stdin.end();
  }

  private async ask<T>(question: unknown): Promise<T> {
    this.child.stdin.write(`${JSON.stringify(question)}\n`);
    return next<T>(this.answers);
  }
}

async function next<T>(answers: AsyncIterator<string>): Promise<T> {
  const { value, done } = await answers.next();
  if (done) throw new Error('PyTorch stopped before it answered');
  return JSON.parse(value) as T;
}
