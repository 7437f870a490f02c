import { defineConfig } from 'vitest/config';
import cuda from './vitest.cuda.config.js';

/** What computes on the CPU, to be run with one instruction set after another (scripts/isa-tests.mjs). */
export default defineConfig({
  test: {
    ...cuda.test,
    exclude: [
      ...(cuda.test?.exclude ?? []),
      'test/cuda/**', // about CUDA
      'test/verify/**',
    ],
  },
});
