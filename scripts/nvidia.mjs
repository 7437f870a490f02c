// Fetches NVIDIA's headers, and the libraries that some gates of the CUDA backend ask, from NVIDIA's packages on PyPI through pip,
// into build-nvidia/, where cmake/cuda_backend.cmake looks by itself. They are NVIDIA's: never committed, never published.
// Does nothing where they are there already. Ends with 3 where they cannot be had.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NOT_TO_BE_HAD = 3;
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'build-nvidia');
/** What is taken out of each package; the rest of its gigabyte is of no use here. */
const packages = {
  'nvidia-cudnn-cu13==9.24.0.43': [
    'nvidia/cudnn/include/*',
    ...['', '_graph', '_ops', '_adv'].map((part) => `nvidia/cudnn/lib/libcudnn${part}.so.9`),
  ],
  'nvidia-cublas==13.1.1.3': [
    'nvidia/cu13/include/*',
    'nvidia/cu13/lib/libcublas.so.13',
    'nvidia/cu13/lib/libcublasLt.so.13',
  ],
};
/** Written last, so that a fetch that was cut off starts anew. */
const record = join(folder, 'packages.txt');
const contents = `${Object.keys(packages).join('\n')}\n`;

function leaveOut(reason) {
  console.error(
    `LEFT OUT: NVIDIA's headers and libraries, so the CUDA backend is built only where others are found; ${reason}`,
  );
  rmSync(`${folder}.part`, { recursive: true, force: true });
  process.exit(NOT_TO_BE_HAD);
}

function python(args) {
  const { status, error, stderr } = spawnSync('python3', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  return error ? error.message : status === 0 ? '' : stderr.trim().split('\n').at(-1) || `status ${status}`;
}

const extract = `
import fnmatch, sys, zipfile
wheel, folder, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for pattern in patterns:
        names = fnmatch.filter(archive.namelist(), pattern)
        if not names:
            sys.exit(f'{wheel} has no {pattern}')
        archive.extractall(folder, names)
`;

if (existsSync(record) && readFileSync(record, 'utf8') === contents) {
  console.log(`NVIDIA's headers and libraries are in ${folder}`);
  process.exit(0);
}
if (process.platform !== 'linux') leaveOut('the CUDA backend is built on Linux only.');
const pip = python(['-m', 'pip', '--version']);
if (pip) leaveOut(`they come through pip, which does not run: ${pip}`);

const part = `${folder}.part`;
rmSync(part, { recursive: true, force: true });
mkdirSync(part);
for (const [name, patterns] of Object.entries(packages)) {
  console.log(`fetching ${name}`);
  // No retries: where one of several package indexes cannot be reached, each would be waited for.
  const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--retries=0', '--dest', part];
  const failure = python(['-m', 'pip', 'download', ...options, name]);
  if (failure) leaveOut(`pip could not fetch ${name}: ${failure}`);
  const wheel = readdirSync(part).find((file) => file.endsWith('.whl'));
  const broken = python(['-c', extract, join(part, wheel), part, ...patterns]);
  if (broken) throw new Error(`Expected headers and libraries in ${name} but ${broken}`);
  rmSync(join(part, wheel));
}
writeFileSync(join(part, 'packages.txt'), contents);
rmSync(folder, { recursive: true, force: true });
renameSync(part, folder);
console.log(`NVIDIA's headers and libraries are in ${folder}`);
