/** The one table of tolerances, and the one comparison that uses it. */
import { expect } from 'vitest';
import type { FloatDType } from '../../src/dtype.js';
import { relativeDifference } from '../../src/verify/checks.js';

/** What was computed: the longer the sums, the more rounding. */
export type Kind = 'exact' | 'elementwise' | 'sum' | 'product' | 'recurrent' | 'training' | 'gradcheck';

/** Largest allowed difference, relative to the largest expected magnitude. */
const TOLERANCE: Record<FloatDType, Record<Kind, number>> = {
  float32: {
    exact: 0,
    elementwise: 5e-7,
    sum: 1e-6,
    product: 2e-6,
    recurrent: 1e-5,
    training: 1e-5,
    // Differences of float32 values say nothing about gradients.
    gradcheck: 0,
  },
  float64: {
    exact: 0,
    elementwise: 1e-14,
    sum: 1e-14,
    product: 1e-13,
    recurrent: 1e-10,
    training: 1e-10,
    gradcheck: 1e-6,
  },
};

type Values = number | readonly Values[] | Float32Array | Float64Array | Int32Array;

function flatten(values: unknown): number[] {
  if (typeof values === 'number') return [values];
  if (Array.isArray(values)) return values.flatMap(flatten);
  return Array.from(values as ArrayLike<number>);
}

/** Fails unless both hold the same numbers up to the tolerance of their dtype and kind. */
export function expectClose(actual: unknown, expected: Values, kind: Kind, dtype: FloatDType = 'float32'): void {
  const tolerance = TOLERANCE[dtype][kind];
  const difference = relativeDifference(actual as Values, expected);
  if (difference <= tolerance) {
    expect(difference).toBeLessThanOrEqual(tolerance);
    return;
  }
  const shown = (values: unknown) => flatten(values).slice(0, 12).join(', ');
  expect.fail(
    `${kind} ${dtype}: differs by ${difference}, allowed ${tolerance}\n  ${shown(actual)}\n  ${shown(expected)}`,
  );
}
