/** `deep-rnn doctor`: what this installation can do, with a short test of it. */
import { availableParallelism, freemem, totalmem } from 'node:os';
import type { DeviceKind } from '../device.js';
import { load } from '../native/load.js';
import { packageVersion } from '../package.js';
import { Arguments, UsageError } from './arguments.js';
import { type BackendReport, examine } from './backends.js';
import type { Command } from './command.js';

const KINDS: DeviceKind[] = ['cpu', 'cuda'];

interface Report {
  version: string;
  runtime: string;
  nodeApi: string;
  platform: string;
  arch: string;
  /** The C library and its version; null where the runtime does not tell. */
  libc: string | null;
  processors: number;
  /** In bytes. */
  memory: { total: number; free: number };
  binary: { path: string; origin: string } | null;
  /** Why no binary loads, or null. */
  fault: string | null;
  backends: BackendReport[];
  ok: boolean;
}

/** Bun and Deno give themselves away beside the version of Node that they imitate. */
function runtimeName(): string {
  const { bun, deno, node } = process.versions as Record<string, string | undefined>;
  return bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
}

async function examineAll(): Promise<Report> {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const glibc = header?.glibcVersionRuntime;
  const report: Report = {
    version: packageVersion(),
    runtime: runtimeName(),
    nodeApi: process.versions.napi ?? 'none',
    platform: process.platform,
    arch: process.arch,
    libc: glibc ? `glibc ${glibc}` : null,
    processors: availableParallelism(),
    memory: { total: totalmem(), free: freemem() },
    binary: null,
    fault: null,
    backends: [],
    ok: false,
  };
  try {
    const { path, origin } = load();
    report.binary = { path, origin };
  } catch (error) {
    report.fault = (error as Error).message;
    return report;
  }
  for (const kind of KINDS) report.backends.push(await examine(kind));
  const [cpu, ...others] = report.backends;
  report.ok = cpu.selfTest?.fault === null && others.every(({ selfTest }) => (selfTest?.fault ?? null) === null);
  return report;
}

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function lines(report: Report): [string, string][] {
  const { memory, binary } = report;
  const processors = report.processors === 1 ? '1 processor' : `${report.processors} processors`;
  const shown: [string, string][] = [
    ['deep-rnn', report.version],
    ['runtime', `${report.runtime}, Node-API ${report.nodeApi}`],
    ['platform', `${report.platform} ${report.arch}${report.libc ? `, ${report.libc}` : ''}`],
    ['machine', `${processors}, ${gibibytes(memory.total)} of memory, ${gibibytes(memory.free)} free`],
  ];
  if (binary !== null) shown.push(['binary', binary.path], ['', binary.origin]);
  if (report.fault !== null) shown.push(['FAILED', report.fault]);
  for (const { kind, description, absent, details, selfTest } of report.backends) {
    shown.push([kind, description ?? `none: ${absent}`]);
    for (const [name, value] of Object.entries(details)) shown.push(['', `${name}: ${value}`]);
    if (selfTest === null) continue;
    const { fault, seconds } = selfTest;
    shown.push(['', fault === null ? `self-test passed in ${seconds.toFixed(2)} s` : `self-test FAILED: ${fault}`]);
  }
  return shown;
}

export const doctor: Command = {
  help: `Shows what this installation can do, and tests it; the exit status is 0 when all is well.

Usage: deep-rnn doctor [options]

  --json                 print JSON
`,

  async run(args) {
    const options = new Arguments(args, { json: { type: 'boolean' } });
    if (options.positionals.length > 0)
      throw new UsageError(`Expected options only but received ${options.positionals[0]}`);
    const report = await examineAll();
    if (options.flag('json')) console.log(JSON.stringify(report, null, 2));
    else for (const [name, value] of lines(report)) console.log(`${name.padEnd(10)} ${value}`);
    return report.ok ? 0 : 1;
  },
};
