import { defineConfig } from 'vitest/config';
import base from './vitest.config.js';

/** What must hold of the package before it is published; much of it takes too long for every run of the tests. */
export default defineConfig({
  test: {
    ...base.test,
    include: ['test/{package,release}/**/*.test.ts'],
    exclude: [],
    env: { DEEP_RNN_RELEASE: '1' },
  },
});
