/** What the CUDA backend finds on this machine, for doctor and verify-gpu. */
import { load } from '../native/load.js';

/** Pairs of a name and what was found: driver, cuBLAS, cuDNN with versions and files, and the GPU; or the reasons why not. */
export function cudaFindings(): [name: string, value: string][] {
  return load()
    .binding.cudaReport()
    .trimEnd()
    .split('\n')
    .map((line) => {
      const end = line.indexOf(': ');
      return [line.slice(0, end), line.slice(end + 2)];
    });
}
