/** Loaded before every test file: nothing random differs from run to run, also where a test names no seed. */
import { beforeEach } from 'vitest';
import { manualSeed } from '../../src/random.js';

manualSeed(1);
beforeEach(() => manualSeed(1));
