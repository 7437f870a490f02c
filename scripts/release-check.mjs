// Everything that must hold before a publish, beyond `npm test` and `npm run check`. Stops at the first that does not.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const steps = [
  ['the binaries', 'npm', 'run', 'prebuilds'],
  ['the documentation of every public name', 'npm', 'run', 'docs'],
  ['the package, its binaries, its runtimes, its sources', 'npm', 'run', 'test:package'],
  ['a build with Clang', 'npm', 'run', 'test:clang'],
];

const times = [];
for (const [what, command, ...args] of steps) {
  console.log(`\nrelease:check: ${what}`);
  const start = performance.now();
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  if (status !== 0) {
    console.error(`release:check: ${what} FAILED`);
    process.exit(status ?? 1);
  }
  times.push(`${what}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
}
console.log(`\nrelease:check passed\n  ${times.join('\n  ')}`);
