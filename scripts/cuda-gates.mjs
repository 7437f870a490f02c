// Gates for the CUDA kernels that need nvcc but no GPU: no spills and no local memory on any architecture, no more registers or
// shared memory than recorded, and parameters of the size that the host passes. `--update` records what there is.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const kernels = join(root, 'native/cuda/kernels');
const record = join(kernels, 'resources.json');
const architectures = [80, 90, 100, 120];

const nvcc = [process.env.CUDA_HOME, process.env.CUDA_PATH, '/usr/local/cuda']
  .filter(Boolean)
  .map((folder) => join(folder, 'bin/nvcc'))
  .concat('nvcc')
  .find((path) => spawnSync(path, ['--version']).status === 0);
if (!nvcc) {
  console.log('LEFT OUT: the gates of the CUDA kernels, because there is no nvcc (set CUDA_HOME).');
  process.exit(process.env.DEEP_RNN_CUDA === 'ON' ? 1 : 0);
}

const release = /release ([\d.]+)/.exec(spawnSync(nvcc, ['--version'], { encoding: 'utf8' }).stdout)?.[1];
const failures = [];
const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-gates-'));
try {
  const all = join(folder, 'all.cu');
  const sources = readdirSync(kernels).filter((name) => name.endsWith('.cu'));
  writeFileSync(all, sources.map((name) => `#include "cuda/kernels/${name}"\n`).join(''));
  const ptx = join(folder, 'all.ptx');
  const include = `-I${join(root, 'native')}`;
  run(nvcc, ['-std=c++17', '-O3', '--fmad=false', include, '-arch=compute_80', '-ptx', '-o', ptx, all]);
  checkParameters(readFileSync(ptx, 'utf8'), include);
  const logs = await Promise.all(architectures.map((architecture) => assemble(architecture, ptx)));
  compare(Object.fromEntries(architectures.map((architecture, i) => [`sm_${architecture}`, resources(logs[i])])));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

if (failures.length > 0) {
  console.error(failures.join('\n'));
  process.exit(1);
}

function run(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}\n${result.stderr}`);
  return result;
}

// What ptxas says of the kernels; all architectures are compiled at once.
async function assemble(architecture, ptx) {
  const options = [`-arch=sm_${architecture}`, '-cubin', '-Xptxas=-v,-warn-spills,-warn-lmem-usage'];
  const output = join(folder, `sm_${architecture}.cubin`);
  const { stderr } = await promisify(execFile)(nvcc, [...options, '-o', output, ptx], { maxBuffer: 1 << 28 });
  for (const [warning] of stderr.matchAll(/^ptxas warning.*$/gm)) failures.push(`sm_${architecture}: ${warning}`);
  return stderr;
}

// { kernel: [registers, bytes of shared memory] }
function resources(log) {
  const found = {};
  let kernel;
  for (const line of log.split('\n')) {
    kernel = /Compiling entry function '(\w+)'/.exec(line)?.[1] ?? kernel;
    const registers = /Used (\d+) registers/.exec(line);
    if (kernel && registers) found[kernel] = [Number(registers[1]), Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0)];
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compare(used) {
  const lines = Object.entries(used).map(([architecture, entries]) => {
    const rows = Object.entries(entries).map(([name, values]) => `    ${JSON.stringify(name)}: [${values.join(', ')}]`);
    return `  ${JSON.stringify(architecture)}: {\n${rows.join(',\n')}\n  }`;
  });
  if (process.argv.includes('--update')) {
    writeFileSync(record, `{\n  "nvcc": "${release}",\n${lines.join(',\n')}\n}\n`);
  }
  if (!existsSync(record)) return failures.push(`There is no ${record}; --update makes it`);
  const recorded = JSON.parse(readFileSync(record, 'utf8'));
  if (recorded.nvcc !== release)
    return console.log(`LEFT OUT: the registers, recorded with nvcc ${recorded.nvcc} and compiled by ${release}.`);
  let count = 0;
  for (const [architecture, entries] of Object.entries(used)) {
    for (const [kernel, [registers, shared]] of Object.entries(entries)) {
      count++;
      const [most, mostShared] = recorded[architecture]?.[kernel] ?? [0, 0];
      if (registers <= most && shared <= mostShared) continue;
      failures.push(
        `${architecture} ${kernel}: ${registers} registers and ${shared} bytes of shared memory, recorded are ${most} and ${mostShared}`,
      );
    }
  }
  console.log(`CUDA kernels: ${count} on ${Object.keys(used).length} architectures`);
}

// The host's sizes, by the list of kernels, against those of the .entry points.
function checkParameters(ptx, include) {
  const program = join(folder, 'parameters');
  writeFileSync(
    `${program}.cpp`,
    `#include <cstdio>
#include "cuda/kernels/kernels.h"
using namespace deep_rnn;
using namespace deep_rnn::cuda;
template <class... P>
void print(const char* name, void (*)(P...)) {
  std::printf("%s", name);
  (std::printf(" %zu", sizeof(P)), ...);
  std::puts("");
}
#define DEEP_RNN_KERNEL(name, parameters) print(#name, static_cast<decltype(&cuda::name)>(nullptr));
int main() {
#include "cuda/kernels/kernel_list.h"
}
`,
  );
  run(process.env.CXX ?? 'c++', ['-std=c++17', include, `${program}.cpp`, '-o', program]);
  const host = new Set(run(program, []).stdout.trim().split('\n'));
  const device = new Set();
  for (const [, name, parameters] of ptx.matchAll(/\.entry (\w+)\(([^)]*)\)/g)) {
    const sizes = [...parameters.matchAll(/\.param (?:\.align \d+ )?\.([a-z]+)(\d+) \w+(?:\[(\d+)\])?/g)].map(
      ([, , bits, length]) => (Number(bits) / 8) * Number(length ?? 1),
    );
    device.add([name, ...sizes].join(' '));
  }
  for (const entry of host) if (!device.has(entry)) failures.push(`The host passes "${entry}", which no kernel takes`);
  for (const entry of device)
    if (!host.has(entry)) failures.push(`A kernel takes "${entry}", which the host does not pass`);
}
