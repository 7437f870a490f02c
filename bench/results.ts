/** The record of a suite, which grows by rows: bench/results/<suite>.json. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Timing } from '#bench/contestant';
import type { Row } from '#bench/measure';
import type { Absence } from './peers.js';
import type { Phases } from './phases.js';
import type { Scaling } from './scaling.js';
import type { System } from './system.js';
import type { WholeProgram } from './whole-program.js';

/** How a run of the bench measured. */
export interface Run {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly timing: Timing;
}

/** The date is that of its run. */
type Dated<T> = { readonly date: string } & T;

export type ReportRow = Row & { phases?: Phases; scaling?: Scaling; absences?: readonly Absence[] };

export interface Results {
  /** By date. */
  readonly runs: Readonly<Record<string, Run>>;
  readonly rows: readonly Dated<ReportRow>[];
  readonly wholeProgram?: Dated<WholeProgram>;
  readonly system?: Dated<System>;
}

/** What was measured before, and in its place what is measured now; only rows with these names, in this order. */
export function mergeResults(before: Results, now: Results, names: readonly string[]): Results {
  const rows = new Map([...before.rows, ...now.rows].map((row) => [row.name, row]));
  const { wholeProgram, system } = { ...before, ...now };
  const kept = names.flatMap((name) => rows.get(name) ?? []);
  const dates = new Set([...kept, wholeProgram, system].map((part) => part?.date));
  const runs = Object.entries({ ...before.runs, ...now.runs }).filter(([date]) => dates.has(date));
  return {
    runs: Object.fromEntries(runs),
    rows: kept,
    ...(wholeProgram && { wholeProgram }),
    ...(system && { system }),
  };
}

export function readResults(file: string): Results {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { runs: {}, rows: [] };
}

export function writeResults(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${textOf(results)}\n`);
}

/** As JSON. Four digits are more than any of this is worth. */
export function textOf(results: Results): string {
  const rounded = (_key: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  return JSON.stringify(results, rounded, 2);
}
