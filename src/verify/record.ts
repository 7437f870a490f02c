/** What a verification found, as data and as text. */
import type { Check } from './checks.js';
import type { SourceHashes } from './source-hash.js';

/** One step, which ran in a process of its own. */
export interface StepRecord {
  readonly name: string;
  /** What the step is about, in a sentence. */
  readonly about: string;
  readonly seconds: number;
  /** How the process ended, where it did not end well. */
  readonly fault?: string;
  readonly checks: readonly Check[];
  /** Facts by name, of the environment. */
  readonly facts?: Readonly<Record<string, string>>;
  /** A table in Markdown, of measurements. */
  readonly table?: string;
  /** What the table shows, as data. */
  readonly rows?: unknown;
  /** Kernels of this project that the step launched. */
  readonly kernels: readonly string[];
}

/** The whole of it. */
export interface VerificationRecord {
  /** Of this format. */
  readonly format: 1;
  readonly version: string;
  /** ISO 8601 */
  readonly date: string;
  readonly gpu: string;
  /** false: the tests' stand-in for a GPU, which proves nothing about one. */
  readonly isGpu: boolean;
  readonly quick: boolean;
  readonly sources: SourceHashes;
  readonly steps: readonly StepRecord[];
  /** Kernels of this project that no step has launched. */
  readonly untouchedKernels: readonly string[];
  readonly kernelCount: number;
  readonly passed: boolean;
}

/** How many checks of a step ended in each way. */
function tally(checks: readonly Check[]): string {
  const count = (wanted: Check['outcome']) => checks.filter(({ outcome }) => outcome === wanted).length;
  const parts = (['passed', 'failed', 'noted', 'left out'] as const)
    .map((outcome) => [count(outcome), outcome] as const)
    .filter(([number]) => number > 0)
    .map(([number, outcome]) => `${number} ${outcome}`);
  return parts.join(', ') || 'nothing';
}

/** Whether a step ended well and no check of it failed. */
export function stepPassed({ fault, checks }: StepRecord): boolean {
  return fault === undefined && checks.every(({ outcome }) => outcome !== 'failed');
}

const escaped = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function section(step: StepRecord, everything: boolean): string {
  const lines = [`## ${step.name}`, '', `${step.about} ${tally(step.checks)}; ${step.seconds.toFixed(1)} s.`, ''];
  if (step.fault !== undefined) lines.push(`**The step did not end well: ${step.fault}**`, '');
  for (const [name, value] of Object.entries(step.facts ?? {})) lines.push(`- ${name}: ${value}`);
  if (step.facts) lines.push('');
  const shown = everything ? step.checks : step.checks.filter(({ outcome }) => outcome !== 'passed');
  if (shown.length > 0) {
    lines.push('| check | outcome | found |', '| --- | --- | --- |');
    for (const { name, outcome, detail } of shown)
      lines.push(`| ${escaped(name)} | ${outcome === 'failed' ? '**failed**' : outcome} | ${escaped(detail)} |`);
    lines.push('');
  }
  if (step.table) lines.push(step.table, '');
  return lines.join('\n');
}

/** The record as Markdown. Of the assumptions every one is shown, of other steps what did not pass. */
export function toMarkdown(record: VerificationRecord): string {
  const { gpu, isGpu, quick, version, date, sources, steps, untouchedKernels, kernelCount, passed } = record;
  const launched = kernelCount - untouchedKernels.length;
  const rest = untouchedKernels.length > 0 ? `; not: ${untouchedKernels.join(', ')}` : '';
  return [
    `# deep-rnn ${version} on ${gpu}`,
    '',
    ...(isGpu
      ? []
      : [
          '**This is not a GPU** but the stand-in of the tests: nothing here says anything about one, times least of all.',
          '',
        ]),
    `${passed ? 'Passed' : '**Failed**'}, ${date}${quick ? ', quick' : ''}.`,
    '',
    `Sources: native ${sources.native.slice(0, 16)}, TypeScript ${sources.typescript.slice(0, 16)}. ` +
      `Kernels launched: ${launched} of ${kernelCount}${rest}.`,
    '',
    ...steps.map((step) => section(step, step.name === 'assumptions')),
  ].join('\n');
}
