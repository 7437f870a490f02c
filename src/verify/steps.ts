/** The steps of a verification: what each does inside its process. */
import { arch, cpus, release } from 'node:os';
import { type Device, device, setDefaultDevice } from '../device.js';
import { load } from '../native/load.js';
import type { Check, Checks } from './checks.js';
import { cudaFindings } from './cuda-findings.js';
import { checkOperations } from './operations.js';
import { checkGradients, checkStacks } from './stacks.js';
import { compareWithPyTorch, measureThroughput } from './throughput.js';
import { checkOptimizers, checkTraining } from './training.js';

/** What a step is told. */
export interface StepOptions {
  quick: boolean;
  /** The tests' stand-in in place of a GPU. */
  standIn: boolean;
  /** Which one of several. */
  index?: number;
}

/** What a step finds beside its checks. */
export interface Findings {
  facts?: Record<string, string>;
  table?: string;
  rows?: unknown;
}

export interface Step {
  about: string;
  /** Seconds after which it is stopped. */
  limit: number;
  run(checks: Checks, options: StepOptions): Promise<Findings>;
}

async function onBoth(run: (devices: [Device, Device]) => Promise<void>): Promise<Findings> {
  using cpu = device('cpu');
  using gpu = device('cuda');
  setDefaultDevice(gpu);
  await run([cpu, gpu]);
  return {};
}

async function environment(checks: Checks): Promise<Findings> {
  const facts: Record<string, string> = Object.fromEntries(cudaFindings());
  await checks.check('the device opens', () => {
    using gpu = device('cuda');
    return gpu.description;
  });
  const { path, origin } = load();
  return {
    facts: {
      ...facts,
      machine: `${cpus()[0]?.model ?? arch()}, ${process.platform} ${release()}, Node ${process.versions.node}`,
      binary: `${path}, ${origin}`,
    },
  };
}

/** An assumption about NVIDIA's libraries. */
export interface Assumption {
  name: string;
  /** The backend is wrong where this is refuted. */
  reliedOn: boolean;
  claim: string;
}

/** All of them; each is asked in a process of its own. */
export function assumptions(): Assumption[] {
  const lines = load().binding.cudaProbes().split('\n').slice(0, -1);
  return lines.map((line) => {
    const [name, reliedOn, claim] = line.split('\t');
    return { name, reliedOn: reliedOn === '1', claim };
  });
}

async function assumption(checks: Checks, { quick, index = 0 }: StepOptions): Promise<Findings> {
  const { claim, reliedOn } = assumptions()[index];
  const [verdict, evidence] = load().binding.cudaProbe(index, quick).split('\t');
  const detail = verdict === 'LEFT OUT' ? evidence : `${verdict}: ${evidence}`;
  const outcome: Check['outcome'] =
    verdict === 'LEFT OUT' ? 'left out' : verdict === 'CONFIRMED' ? 'passed' : reliedOn ? 'failed' : 'noted';
  checks.add({ name: claim, outcome, detail });
  return {};
}

/** By name, in the order in which they run. */
export const STEPS = {
  environment: { about: 'What the machine has.', limit: 60, run: environment },
  operations: {
    about: 'Every operation and its gradient, on the GPU against the CPU backend.',
    limit: 180,
    run: (checks, { quick }) => onBoth((devices) => checkOperations(checks, devices, quick)),
  },
  stacks: {
    about: 'Recurrent stacks with every option: outputs, states and gradients against the CPU backend.',
    limit: 120,
    run: (checks, { quick }) => onBoth((devices) => checkStacks(checks, devices, quick)),
  },
  gradients: {
    about: 'Gradients of recurrent stacks in float64 on the GPU against central differences.',
    limit: 120,
    run: (checks, { quick }) => onBoth(([, gpu]) => checkGradients(checks, gpu, quick)),
  },
  optimizers: {
    about: 'Five steps of each optimizer, with clipping, against the CPU backend.',
    limit: 60,
    run: (checks) => onBoth((devices) => checkOptimizers(checks, devices)),
  },
  training: {
    about: 'Language models: losses, determinism, files, generation, against the CPU backend.',
    limit: 120,
    run: (checks, { quick }) => onBoth((devices) => checkTraining(checks, devices, quick)),
  },
  assumptions: { about: "What the backend takes for granted of NVIDIA's libraries.", limit: 60, run: assumption },
  throughput: { about: 'How fast stacks train, beside cuDNN in a bare loop.', limit: 180, run: measureThroughput },
  pytorch: {
    about: 'The same stacks in PyTorch, where python3 has it with CUDA.',
    limit: 120,
    run: compareWithPyTorch,
  },
} as const satisfies Record<string, Step>;

export type StepName = keyof typeof STEPS;
export const STEP_NAMES = Object.keys(STEPS) as StepName[];
