/** The process of one step: `step-process.js <step> <options>`, started by run.ts. */
import { load } from '../native/load.js';
import { Checks } from './checks.js';
import type { Message } from './messages.js';
import { STEPS, type Step, type StepName, type StepOptions } from './steps.js';

const tell = (message: Message) =>
  new Promise<void>((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => (error ? reject(error) : resolve()));
  });

const [name, options] = process.argv.slice(2);
const step: Step = STEPS[name as StepName];
let told = Promise.resolve();
const checks = new Checks((check) => {
  told = tell({ kind: 'check', check });
});
try {
  const findings = await step.run(checks, JSON.parse(options) as StepOptions);
  await told;
  const uses = load().binding.cudaKernels().split('\n').slice(0, -1);
  const kernels = uses.map((line) => line.split('\t')).filter(([, launched]) => launched === '1');
  await tell({ kind: 'done', findings, kernels: kernels.map(([kernel]) => kernel) });
} catch (error) {
  await told;
  await tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
}
process.disconnect?.();
