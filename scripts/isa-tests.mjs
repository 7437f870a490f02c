// Runs the TypeScript tests that compute, once for each instruction set that this processor has, or those named:
// `isa-tests.mjs [--without-best] [generic|avx2|avx512|avx512bf16|neon ...]`. `npm test` has run them with the best one.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const BUILT = process.arch === 'arm64' ? ['neon'] : ['generic', 'avx2', 'avx512', 'avx512bf16'];

const node = (args, isa, stdio) =>
  spawnSync(process.execPath, args, { cwd: root, env: { ...process.env, DEEP_RNN_ISA: isa }, encoding: 'utf8', stdio });

/** The instruction set of a device when this one is asked for, by '' the best; undefined where the processor lacks it. */
function opened(isa) {
  const program = "import { device } from 'deep-rnn'; console.log(device('cpu').description);";
  return node(['--input-type=module', '-e', program], isa).stdout.split(', ')[1];
}

const wishes = process.argv.slice(2).filter((argument) => argument !== '--without-best');
const unknown = wishes.find((name) => !BUILT.includes(name));
if (unknown !== undefined) {
  console.error(`Expected ${BUILT.join(', ')} for the instruction set but received ${unknown}`);
  process.exit(2);
}
const best = opened('');
if (best === undefined) {
  console.error('Expected a built addon but no device opens; npm run build makes it');
  process.exit(1);
}
for (const name of wishes.length > 0 ? wishes : BUILT) {
  if (name === best && process.argv.includes('--without-best')) continue;
  if (opened(name) !== name) {
    console.log(`LEFT OUT: the tests with ${name}, which this processor does not run.`);
    continue;
  }
  console.log(`the tests that compute, with ${name}`);
  const { status } = node(
    ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.isa.config.ts'],
    name,
    'inherit',
  );
  if (status !== 0) process.exit(status ?? 1);
}
