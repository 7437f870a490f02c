/** Runs the steps of a verification, each in a process of its own, so that a crash or a hang of one does not hide the rest. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { load } from '../native/load.js';
import { PACKAGE_ROOT, packageVersion } from '../package.js';
import type { Check } from './checks.js';
import type { Message } from './messages.js';
import { type StepRecord, stepPassed, type VerificationRecord } from './record.js';
import { readStamp } from './stamp.js';
import { assumptions, type Findings, STEPS, type StepName, type StepOptions } from './steps.js';

const PROCESS = join(PACKAGE_ROOT, 'dist', 'verify', 'step-process.js');

interface Ended {
  checks: Check[];
  findings: Findings;
  kernels: string[];
  fault?: string;
}

/** The last line that is not empty. */
const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? '';

function runProcess(name: StepName, options: StepOptions, limit: number): Promise<Ended> {
  return new Promise((resolve) => {
    const ended: Ended = { checks: [], findings: {}, kernels: [] };
    const child = fork(PROCESS, [name, JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let done = false;
    let complaints = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, limit * 1000);
    child.stderr?.on('data', (data: Buffer) => {
      complaints = (complaints + data.toString()).slice(-4000);
    });
    child.on('message', (message: Message) => {
      if (message.kind === 'check') ended.checks.push(message.check);
      else if (message.kind === 'failed') ended.fault = message.reason;
      else {
        done = true;
        ended.findings = message.findings;
        ended.kernels = message.kernels;
      }
    });
    child.on('error', (error) => {
      ended.fault = error.message;
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (timedOut) ended.fault = `stopped after ${limit} s`;
      else if (signal !== null || status !== 0)
        ended.fault ??= `ended by ${signal ?? `status ${status}`}: ${lastLine(complaints)}`;
      else if (!done) ended.fault ??= 'ended without a word';
      resolve(ended);
    });
  });
}

/** Each assumption in a process of its own: what makes a library give up is an answer about that one alone. */
async function askAssumptions(options: StepOptions, limit: number): Promise<Ended> {
  const all: Ended = { checks: [], findings: {}, kernels: [] };
  for (const [index, { claim, reliedOn }] of assumptions().entries()) {
    const { checks, kernels, fault } = await runProcess('assumptions', { ...options, index }, limit);
    all.kernels.push(...kernels);
    if (fault === undefined) all.checks.push(...checks);
    else all.checks.push({ name: claim, outcome: reliedOn ? 'failed' : 'noted', detail: `no answer: ${fault}` });
  }
  return all;
}

export interface VerificationOptions {
  quick: boolean;
  steps: readonly StepName[];
  /** Told of each step when it has ended. */
  onStep?(step: StepRecord): void;
}

/** The stand-in's own name for itself. */
export const isStandIn = (description: string) => description.includes('(no GPU)');

/** Runs the steps. `gpu` is the device's description. */
export async function verify(gpu: string, { quick, steps, onStep }: VerificationOptions): Promise<VerificationRecord> {
  const standIn = isStandIn(gpu);
  const records: StepRecord[] = [];
  for (const name of steps) {
    const { about, limit } = STEPS[name];
    // The stand-in computes with one core in double.
    const options: StepOptions = { quick: quick || standIn, standIn };
    const patience = limit * (standIn ? 10 : 1);
    const start = performance.now();
    const run = name === 'assumptions' ? askAssumptions(options, patience) : runProcess(name, options, patience);
    const { checks, findings, kernels, fault } = await run;
    const seconds = (performance.now() - start) / 1000;
    const record: StepRecord = { name, about, seconds, checks, kernels, ...findings, ...(fault && { fault }) };
    records.push(record);
    onStep?.(record);
  }
  const launched = new Set(records.flatMap(({ kernels }) => kernels));
  const kernels = load()
    .binding.cudaKernels()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t')[0]);
  return {
    format: 1,
    version: packageVersion(),
    date: new Date().toISOString(),
    gpu,
    isGpu: !standIn,
    quick,
    sources: readStamp(),
    steps: records,
    untouchedKernels: kernels.filter((kernel) => !launched.has(kernel)),
    kernelCount: kernels.length,
    passed: records.every(stepPassed),
  };
}
