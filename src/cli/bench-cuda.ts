/** `deep-rnn bench --device cuda`: cuDNN's throughput through this package and alone, against what the card could do. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CudaRow, cudaTable, measureCuda, peakText } from '../bench/cuda.js';
import { CUDA_SUITE, shrunk } from '../bench/cuda-suite.js';
import { timePyTorch } from '../bench/pytorch-cuda.js';
import { device } from '../device.js';
import { PACKAGE_ROOT } from '../package.js';
import { isStandIn } from '../verify/run.js';
import type { Arguments } from './arguments.js';

const RESULTS = join(PACKAGE_ROOT, 'bench', 'results');

/** Beside each table from the tests' stand-in. */
export const NOT_A_GPU =
  'NOT a GPU but the stand-in of the tests: no time here is the time of a GPU, and shapes are shrunk.';

/** Takes the options of `deep-rnn bench`. */
export async function benchCuda(options: Arguments): Promise<number> {
  const only = options.string('only', '').toLowerCase();
  const chosen = CUDA_SUITE.filter(({ name }) => name.toLowerCase().includes(only));
  if (chosen.length === 0)
    throw options.mistake(`a part of ${[...new Set(CUDA_SUITE.map(({ name }) => name))].join('; ')}`, 'only');
  using gpu = device('cuda');
  const standIn = isStandIn(gpu.description);
  const workloads = standIn ? chosen.map(shrunk) : chosen;
  const timing = {
    rounds: options.integer('rounds', 1, 5),
    seconds: options.number('seconds', 0, 0.5),
    bareRounds: standIn ? 1 : 30,
  };
  const peak = await gpu.measurePeak();
  const rows: CudaRow[] = [];
  for (const workload of workloads) {
    rows.push(await measureCuda(workload, gpu, peak, timing));
    if (!options.flag('json')) console.error(`${rows.length} of ${workloads.length}: ${workload.name}`);
  }
  const pytorch = standIn ? NOT_A_GPU : timePyTorch(workloads, 600);
  const result = { device: gpu.description, isGpu: !standIn, date: new Date().toISOString(), peak, rows, pytorch };
  if (options.flag('json')) console.log(JSON.stringify(result, null, 1));
  else {
    if (standIn) console.log(`${NOT_A_GPU}\n`);
    console.log(`${gpu.description}. ${peakText(peak)}\n\n${cudaTable(rows)}\n`);
    if (typeof pytorch === 'string') console.log(`PyTorch: ${pytorch}`);
    else {
      console.log(`PyTorch ${pytorch.version}, forward and backward of the stack:`);
      for (const [i, { name, precision }] of workloads.entries())
        console.log(`  ${name}, ${precision}: ${pytorch.steps[i]?.toFixed(3) ?? 'failed'} ms`);
    }
  }
  if (!standIn && chosen.length === CUDA_SUITE.length && existsSync(RESULTS)) {
    const [name] = gpu.description.split(',');
    const path = join(RESULTS, `cuda-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.json`);
    writeFileSync(path, `${JSON.stringify(result, null, 1)}\n`);
    console.error(`Written: ${path}`);
  }
  return 0;
}
