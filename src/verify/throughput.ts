/** How fast stacks train, beside cuDNN alone and beside PyTorch. */
import { type CudaRow, cudaTable, measureCuda, passesOf, peakText } from '../bench/cuda.js';
import { CUDA_SHORT_SUITE, shrunk } from '../bench/cuda-suite.js';
import { timePyTorch } from '../bench/pytorch-cuda.js';
import { device } from '../device.js';
import type { Checks } from './checks.js';
import type { Findings, StepOptions } from './steps.js';

/** The same in verify-gpu as in bench --device cuda, with fewer rows. */
export async function measureThroughput(checks: Checks, { quick, standIn }: StepOptions): Promise<Findings> {
  using gpu = device('cuda');
  const peak = await gpu.measurePeak();
  const rows: CudaRow[] = [];
  const timing = standIn
    ? { rounds: 1, seconds: 0, bareRounds: 1 }
    : { rounds: quick ? 3 : 5, seconds: 0.3, bareRounds: 20 };
  for (const workload of CUDA_SHORT_SUITE.map((row) => (standIn ? shrunk(row) : row)))
    await checks.check(`${workload.name}, ${workload.task}, ${workload.precision}`, async () => {
      const row = await measureCuda(workload, gpu, peak, timing);
      rows.push(row);
      const refusals = 4 - passesOf(row).length;
      return `${row.step.toFixed(3)} ms a step, ${refusals} algorithms refused`;
    });
  const title = standIn ? 'NOT the times of a GPU, and with other shapes than the names say. ' : '';
  return { table: `${title}${peakText(peak)}\n\n${cudaTable(rows)}`, rows: { peak, rows } };
}

/** Steps of PyTorch's `nn.LSTM` and the like; left out where there is none with CUDA. */
export async function compareWithPyTorch(checks: Checks, { standIn }: StepOptions): Promise<Findings> {
  const workloads = CUDA_SHORT_SUITE.filter(({ task }) => task === 'stack');
  const times = standIn ? 'a stand-in has no PyTorch' : timePyTorch(workloads, 100);
  if (typeof times === 'string') {
    checks.add({ name: 'PyTorch', outcome: 'left out', detail: times });
    return {};
  }
  for (const [i, { name, precision }] of workloads.entries()) {
    const step = times.steps[i];
    const detail = step === null ? 'it failed' : `PyTorch ${times.version}: ${step.toFixed(3)} ms a step`;
    checks.add({ name: `${name}, ${precision}`, outcome: step === null ? 'noted' : 'passed', detail });
  }
  return { rows: times };
}
