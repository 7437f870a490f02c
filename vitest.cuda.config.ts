import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** What runs on a CUDA device, or on the stand-in for one: everything that computes, and what is about CUDA alone. */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/**/*.test.ts'],
    exclude: [
      'test/release/**', // about the package
      'test/package/**',
      'test/architecture.test.ts', // about the sources
      'test/docs.test.ts',
      'test/check.test.ts', // nothing in these reaches a device
      'test/dtype.test.ts',
      'test/data/**',
      'test/verify/checks.test.ts', // about a machine without a GPU, and no device at all
      'test/device.test.ts', // these open devices of their own, most of them the CPU
      'test/native/**',
      'test/cli/**', // programs that choose their device by an option
      'test/examples.test.ts',
      'test/bench/**', // about times and memory of the CPU
    ],
    testTimeout: 600_000,
  },
});
