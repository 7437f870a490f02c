/** Texts for tests: the shared copy of The Time Machine when it lies beside the project, and small ones made here. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const shared = fileURLToPath(new URL('../../../shared/data/timemachine.txt', import.meta.url));

/** Path of the real text, or undefined: tests that need its numbers are then skipped, and say so. */
export const timeMachinePath: string | undefined = existsSync(shared) ? shared : undefined;

if (timeMachinePath === undefined) {
  process.stderr.write(`\n*** ${shared} is missing: the tests with D2L's numbers are SKIPPED ***\n\n`);
}

/** A short text that a small model learns within seconds. */
export const rhyme = 'the wheels on the bus go round and round round and round round and round '.repeat(12);
