/** `deep-rnn verify-gpu`: shows on a machine with an NVIDIA GPU that the CUDA backend does there what it should. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { device } from '../device.js';
import { PACKAGE_ROOT } from '../package.js';
import { cudaFindings } from '../verify/cuda-findings.js';
import { stepPassed, toMarkdown, type VerificationRecord } from '../verify/record.js';
import { verify } from '../verify/run.js';
import { hashSources } from '../verify/source-hash.js';
import { STEP_NAMES, type StepName } from '../verify/steps.js';
import { Arguments, UsageError } from './arguments.js';
import type { Command } from './command.js';

export const verifyGpu: Command = {
  help: `Verifies the CUDA backend on this machine's GPU: operations, recurrent stacks, training and generation against the CPU
backend, gradients against differences, what is taken for granted of cuDNN and cuBLAS, then throughput. Takes less than ten
minutes, and neither a compiler nor a network. In a clone the result is written to verification/.

Usage: deep-rnn verify-gpu [options]

  --quick                fewer and smaller sizes
  --only <steps>         of ${STEP_NAMES.join(', ')}
  --json <file>          write the result as JSON
`,

  async run(args) {
    const options = new Arguments(args, {
      quick: { type: 'boolean' },
      only: { type: 'string' },
      json: { type: 'string' },
    });
    if (options.positionals.length > 0)
      throw new UsageError(`Expected options only but received ${options.positionals[0]}`);
    const steps = options.has('only') ? options.string('only', '').split(',') : STEP_NAMES;
    const unknown = steps.some((step) => !STEP_NAMES.includes(step as StepName));
    if (unknown) throw options.mistake(`some of ${STEP_NAMES.join(', ')}, joined by commas,`, 'only');

    const gpu = describeGpu();
    if (gpu === undefined) return 1;
    const record = await verify(gpu, {
      quick: options.flag('quick'),
      steps: steps as StepName[],
      onStep: (step) => {
        const outcome = stepPassed(step) ? 'passed' : 'FAILED';
        console.error(`${step.name.padEnd(12)} ${outcome}, ${step.checks.length} checks, ${step.seconds.toFixed(1)} s`);
      },
    });
    console.log(toMarkdown(record));
    const json = options.string('json');
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(record, null, 1)}\n`);
    keep(record, steps.length === STEP_NAMES.length);
    return record.passed ? 0 : 1;
  },
};

/** The device in a line, or undefined after saying why there is none. */
function describeGpu(): string | undefined {
  try {
    using gpu = device('cuda');
    return gpu.description;
  } catch (error) {
    console.error(`deep-rnn: ${(error as Error).message}\n`);
    for (const [name, value] of cudaFindings()) console.error(`  ${name}: ${value}`);
    return undefined;
  }
}

/** Writes a whole record of a real GPU where there is a checkout, and says so; else says why not. */
function keep(record: VerificationRecord, whole: boolean): void {
  if (!record.isGpu) {
    console.error('Nothing is written under verification/: this is not a GPU but the stand-in of the tests.');
    return;
  }
  if (!existsSync(join(PACKAGE_ROOT, 'src')) || !existsSync(join(PACKAGE_ROOT, 'native', 'test'))) return;
  if (!whole) {
    console.error('Nothing is written under verification/: not all steps have run.');
    return;
  }
  const present = hashSources(PACKAGE_ROOT);
  if (present.native !== record.sources.native || present.typescript !== record.sources.typescript) {
    console.error('Nothing is written under verification/: what ran was built from other sources; run npm run build.');
    return;
  }
  const folder = join(PACKAGE_ROOT, 'verification');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, fileName(record.gpu));
  writeFileSync(`${path}.json`, `${JSON.stringify(record, null, 1)}\n`);
  writeFileSync(`${path}.md`, toMarkdown(record));
  console.error(`Written: ${path}.json and .md`);
}

/** "NVIDIA H100 80GB HBM3, sm_90, CUDA 13.0, cuDNN 9.24" to nvidia-h100-80gb-hbm3-cudnn9.24. */
function fileName(description: string): string {
  const [gpu, ...rest] = description.split(', ');
  const cudnn = rest.find((part) => part.startsWith('cuDNN '))?.slice('cuDNN '.length) ?? 'unknown';
  return `${gpu.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-cudnn${cudnn}`;
}
