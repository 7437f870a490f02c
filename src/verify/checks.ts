/** The small harness of `deep-rnn verify-gpu`: checks that go on after a failure, and how numbers are compared. */

/** `noted`: an answer that neither fails nor supports anything; `left out`: not asked, the detail says why. */
export type Outcome = 'passed' | 'failed' | 'noted' | 'left out';

export interface Check {
  readonly name: string;
  readonly outcome: Outcome;
  /** What was found, in a line. */
  readonly detail: string;
}

/** Thrown by a check that cannot be made here; its message says why. */
export class LeftOut extends Error {}

/** Runs checks one by one and tells each at once, so that nothing is lost when the process ends. */
export class Checks {
  constructor(private readonly tell: (check: Check) => void) {}

  /** `body` throws when the check fails; what it returns is the detail. */
  async check(name: string, body: () => Promise<string> | string): Promise<void> {
    try {
      this.tell({ name, outcome: 'passed', detail: await body() });
    } catch (error) {
      const [message] = (error instanceof Error ? error.message : String(error)).split('\n');
      this.tell({ name, outcome: error instanceof LeftOut ? 'left out' : 'failed', detail: message });
    }
  }

  add(check: Check): void {
    this.tell(check);
  }
}

/** Numbers in arrays, nested or not. */
export type Numbers = number | ArrayLike<number> | readonly Numbers[];

/** Typed arrays as they are: they may be large. */
function flatten(values: Numbers): ArrayLike<number> {
  if (typeof values === 'number') return [values];
  if (Array.isArray(values)) return values.flatMap((value) => Array.from(flatten(value)));
  return values as ArrayLike<number>;
}

/** max |actual - expected| / max |expected| over the finite values; infinity when the others differ. */
export function relativeDifference(actual: Numbers, expected: Numbers): number {
  const [a, b] = [flatten(actual), flatten(expected)];
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  let magnitude = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i] || Object.is(a[i], b[i])) {
      if (Number.isFinite(b[i])) magnitude = Math.max(magnitude, Math.abs(b[i]));
      continue;
    }
    if (!Number.isFinite(a[i]) || !Number.isFinite(b[i])) return Infinity;
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    magnitude = Math.max(magnitude, Math.abs(b[i]));
  }
  return difference === 0 ? 0 : difference / (magnitude || 1);
}

/** Collects the largest difference of several comparisons with one tolerance. */
export class Comparison {
  private most = 0;
  private where = '';

  constructor(private readonly tolerance: number) {}

  /** @throws Error when the numbers differ by more than the tolerance. */
  close(what: string, actual: Numbers, expected: Numbers): void {
    const difference = relativeDifference(actual, expected);
    if (!(difference <= this.tolerance))
      throw new Error(`${what} differs by ${difference.toExponential(1)}, allowed is ${this.tolerance}`);
    if (difference >= this.most) {
      this.most = difference;
      this.where = what;
    }
  }

  toString(): string {
    const where = this.most > 0 && this.where !== '' ? ` (${this.where})` : '';
    return `within ${this.most.toExponential(1)}${where}, allowed is ${this.tolerance}`;
  }
}
