/** Checks of plain arguments, all worded by `expected`. Each returns the value it accepted. */
import { expected } from './errors.js';

/** Bounds of {@link checkInteger}; both ends are allowed. */
export interface IntegerBounds {
  min?: number;
  max?: number;
}

/** Bounds of {@link checkNumber}: `min` and `max` are allowed values, `above` and `below` are not. */
export interface NumberBounds extends IntegerBounds {
  above?: number;
  below?: number;
}

/**
 * An integer within the bounds.
 *
 * @throws ArgumentError for anything else, NaN included.
 */
export function checkInteger(value: unknown, name: string, bounds: IntegerBounds = {}): number {
  const { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = bounds;
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw expected(`an integer${range(bounds)}`, name, value);
}

/**
 * A finite number within the bounds.
 *
 * @throws ArgumentError for anything else, NaN and infinities included.
 */
export function checkNumber(value: unknown, name: string, bounds: NumberBounds = {}): number {
  const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = bounds;
  if (Number.isFinite(value)) {
    const number = value as number;
    if (number >= min && number <= max && number > above && number < below) return number;
  }
  throw expected(`a finite number${range(bounds)}`, name, value);
}

/** @throws ArgumentError unless `value` is a boolean. */
export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw expected('true or false', name, value);
}

/** @throws ArgumentError unless `value` is a string. */
export function checkString(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw expected('a string', name, value);
}

/** @throws ArgumentError unless `value` is one of `choices`. */
export function checkChoice<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  throw expected(`one of ${choices.map((choice) => `'${choice}'`).join(', ')}`, name, value);
}

/** @throws ArgumentError unless `value` is a function. */
export function checkFunction<T>(value: T, name: string): T {
  if (typeof value === 'function') return value;
  throw expected('a function', name, value);
}

/**
 * An options object without keys that nobody reads; a misspelt key is answered with the nearest allowed one.
 *
 * @throws ArgumentError when `options` is no plain object or has another key than those `allowed`.
 */
export function checkOptions(options: unknown, name: string, allowed: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) {
    throw expected('an object of options', name, options);
  }
  for (const key of Object.keys(options)) {
    if (allowed.includes(key)) continue;
    const nearest = nearestName(key, allowed);
    const hint = nearest === undefined ? '' : ` (did you mean '${nearest}'?)`;
    throw expected(`only the options ${allowed.join(', ')}${hint}`, name, key);
  }
}

function range({ min, max, above, below }: NumberBounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  const parts: string[] = [];
  if (min !== undefined) parts.push(`at least ${min}`);
  if (above !== undefined) parts.push(`above ${above}`);
  if (max !== undefined) parts.push(`at most ${max}`);
  if (below !== undefined) parts.push(`below ${below}`);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of candidates) {
    const [a, b] = [name.toLowerCase(), candidate.toLowerCase()];
    const distance = a.length > 2 && (a.startsWith(b) || b.startsWith(a)) ? 1 : editDistance(a, b);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[j] + 1, current[j - 1] + 1));
    }
    previous = current;
  }
  return previous[b.length];
}
