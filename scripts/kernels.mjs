// Which CUDA kernels a binary carries, read from its bytes: it need not be one that loads on this machine.
import { readFileSync } from 'node:fs';

/** What published binaries carry, unless DEEP_RNN_CUDA=OFF says that they go without: for machines that have no nvcc. */
export const published = process.env.DEEP_RNN_CUDA === 'OFF' ? null : 'sm_80 sm_90 sm_100 sm_120 compute_80';

/** The targets in the words of nvcc, or null where there are no kernels. native/cuda/fatbin.cpp writes them. */
export function kernelsOf(file) {
  const [, targets] = /deep-rnn kernels: ([\w ]+)\0/.exec(readFileSync(file, 'latin1')) ?? [];
  return targets ?? null;
}
