/** What a step's process tells the one that started it. */
import type { Check } from './checks.js';
import type { Findings } from './steps.js';

export type Message =
  | { kind: 'check'; check: Check }
  | { kind: 'done'; findings: Findings; kernels: string[] }
  | { kind: 'failed'; reason: string };
