/** Command line options on top of node:util's parseArgs: numbers, choices, and mistakes that are told in one line. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { expected } from '../errors.js';

/** What `--precision` offers. */
export const PRECISIONS = ['float32', 'bfloat16', 'float16', 'tf32'] as const;

/** A mistake in how the program was called; it ends with status 2. */
export class UsageError extends Error {}

type OptionTypes = Record<string, { type: 'string' | 'boolean'; short?: string }>;

/** Options by name as they were typed, and what is none. */
export class Arguments {
  readonly positionals: readonly string[];
  private readonly values: Record<string, string | boolean | undefined>;

  /** @throws UsageError for an option that is not among `options` or lacks its value. */
  constructor(args: readonly string[], options: OptionTypes) {
    try {
      const config: ParseArgsConfig = { args: [...args], options, allowPositionals: true, strict: true };
      const { values, positionals } = parseArgs(config);
      this.values = values as Record<string, string | boolean | undefined>;
      this.positionals = positionals;
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }

  has(name: string): boolean {
    return this.values[name] !== undefined;
  }

  flag(name: string): boolean {
    return this.values[name] === true;
  }

  string(name: string): string | undefined;
  string(name: string, fallback: string): string;
  string(name: string, fallback?: string): string | undefined {
    return (this.values[name] as string | undefined) ?? fallback;
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.string(name, fallback) as T;
    if (choices.includes(value)) return value;
    throw this.mistake(`one of ${choices.join(', ')}`, name);
  }

  integer(name: string, min: number): number | undefined;
  integer(name: string, min: number, fallback: number): number;
  integer(name: string, min: number, fallback?: number): number | undefined {
    const value = this.parsed(name);
    if (value === undefined) return fallback;
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw this.mistake(`an integer of at least ${min}`, name);
  }

  number(name: string, min: number): number | undefined;
  number(name: string, min: number, fallback: number): number;
  number(name: string, min: number, fallback?: number): number | undefined {
    const value = this.parsed(name);
    if (value === undefined) return fallback;
    if (Number.isFinite(value) && value >= min) return value;
    throw this.mistake(`a number of at least ${min}`, name);
  }

  mistake(what: string, name: string): UsageError {
    return new UsageError(expected(what, `--${name}`, this.values[name]).message);
  }

  private parsed(name: string): number | undefined {
    const text = this.string(name);
    return text === undefined ? undefined : text.trim() === '' ? Number.NaN : Number(text);
  }
}
