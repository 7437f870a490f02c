/** Telling how training goes: one line that is rewritten on a terminal, plain lines elsewhere. */
import type { Step } from '../train/callbacks.js';
import type { Epoch } from '../train/metrics.js';

/** The part of a stream that is written to. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REFRESH_MILLISECONDS = 100;
/** How many plain lines a training gets at most, besides the first and last. */
const PLAIN_LINES = 20;

/** A duration as people write it: `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const thousands = (value: number) => Math.round(value).toLocaleString('en-US');

/** Follows a training of `epochs` epochs as a trainer's callbacks. */
export class Progress {
  private readonly start: number;
  private shownAt = Number.NEGATIVE_INFINITY;
  private steps = 0;
  private stepsPerEpoch = 0;
  private perplexity = Number.NaN;
  private tokensPerSecond = Number.NaN;

  constructor(
    private readonly stream: ProgressStream,
    private readonly epochs: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.start = now();
  }

  onStep = ({ epoch, number, loss }: Step): void => {
    this.steps += 1;
    if (!this.stream.isTTY || this.now() - this.shownAt < REFRESH_MILLISECONDS) return;
    this.shownAt = this.now();
    const shown = Number.isNaN(this.perplexity) ? Math.exp(loss) : this.perplexity;
    const done = this.stepsPerEpoch > 0 ? epoch - 1 + Math.min(1, number / this.stepsPerEpoch) : 0;
    this.rewrite(this.line(epoch, shown, done));
  };

  onEpoch = (epoch: Epoch): void => {
    if (epoch.number === 1 && epoch.complete) this.stepsPerEpoch = this.steps;
    this.perplexity = epoch.perplexity;
    this.tokensPerSecond = epoch.steadyTokensPerSecond;
    const line = `${this.line(epoch.number, epoch.perplexity, epoch.number)}${validationPart(epoch)}`;
    if (this.stream.isTTY) {
      if (epoch.number === this.epochs) this.rewrite(line);
    } else {
      const every = Math.ceil(this.epochs / PLAIN_LINES);
      const shown = epoch.number === 1 || epoch.number === this.epochs || epoch.number % every === 0;
      if (shown || !epoch.complete) this.stream.write(`${line}\n`);
    }
  };

  /** Leaves the line as it stands, so that other output begins on a new one. */
  end(): void {
    if (this.stream.isTTY && this.steps > 0) this.stream.write('\n');
  }

  /** @param done Epochs done, with fraction; 0 when unknown. */
  private line(epoch: number, perplexity: number, done: number): string {
    const parts = [`epoch ${epoch}/${this.epochs}`, `perplexity ${perplexity.toFixed(3)}`];
    if (!Number.isNaN(this.tokensPerSecond)) parts.push(`${thousands(this.tokensPerSecond)} tokens/s`);
    if (done > 0) {
      const elapsed = (this.now() - this.start) / 1000;
      parts.push(`${formatDuration((elapsed / done) * Math.max(0, this.epochs - done))} left`);
    }
    return parts.join('  ');
  }

  private rewrite(line: string): void {
    const width = (this.stream.columns ?? 80) - 1;
    this.stream.write(`\r${line.slice(0, width)}\x1b[K`);
  }
}

function validationPart({ validation }: Epoch): string {
  return validation === undefined ? '' : `  validation ${validation.perplexity.toFixed(3)}`;
}
