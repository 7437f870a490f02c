/** A library in a child process that does the same work on demand: a line of JSON for each question, and one for its answer. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/**
 * glibc keeps what is freed instead of giving it back to the system. PyTorch on a CPU has no allocator of its own, and to get the
 * same pages again may take most of its time, above all on virtual machines.
 */
const KEPT_MEMORY = {
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: String(2 ** 40),
  MALLOC_TOP_PAD_: String(2 ** 26),
};

/** The other end is bench/peers/serve.py. Rejections are about the peer, never about a question. */
export class PeerProcess {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly answers: AsyncIterator<string>;
  private readonly closed: Promise<unknown>;
  private complaint = '';

  constructor(python: string, args: readonly string[]) {
    this.child = spawn(python, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...KEPT_MEMORY, ...process.env } });
    // Writing to one that has ended; the answer that never comes tells.
    this.child.stdin.on('error', () => {});
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.complaint = (this.complaint + text).slice(-2000);
    });
    this.closed = new Promise((resolve) => {
      this.child.once('close', resolve).once('error', (error) => {
        this.complaint = error.message;
        resolve(error);
      });
    });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** The version of the library, which it says once. */
  version(): Promise<string> {
    return this.answer();
  }

  /** @throws {Error} With the reason, when it cannot do this; after `seconds` it is stopped. */
  async ask<T>(question: unknown, seconds?: number): Promise<T> {
    this.child.stdin.write(`${JSON.stringify(question)}\n`);
    if (seconds === undefined) return this.answer();
    const late = Symbol();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<typeof late>((resolve) => {
      timer = setTimeout(resolve, 1000 * seconds, late);
    });
    try {
      const answer = await Promise.race([this.answer<T>(), deadline]);
      if (answer !== late) return answer as T;
      this.stop();
      throw new Error(`not ready within ${seconds} s`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether it can still be asked. */
  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null && !this.child.killed;
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  private async answer<T>(): Promise<T> {
    const { value, done } = await this.answers.next();
    if (done) {
      await this.closed;
      throw new Error(`stopped: ${this.complaint.trimEnd().split('\n').at(-1) || 'without a word'}`);
    }
    const answer = JSON.parse(value);
    if (answer?.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
