/** `npm run bench`: training and generation beside PyTorch, all timed in turn in one run; docs/benchmarks.md explains the table. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { device } from 'deep-rnn';
import type { Timing } from '#bench/contestant';
import { heading, line, machine, measure, type Row } from '#bench/measure';
import { HEADLINE, type Workload } from '#bench/workload';
import { findPython, PyTorch } from './peers.js';
import { measurePhases, type Phases } from './phases.js';
import { type Scaling, scalingLines, scalingOf } from './scaling.js';
import { SUITES, type SuiteName } from './suites.js';
import { measureSystem, type System, systemLines } from './system.js';
import { measureWholeProgram, type WholeProgram } from './whole-program.js';

const USAGE = `npm run bench -- [options]

  --suite <name>     ${Object.keys(SUITES).join(', ')}, all (main)
  --only <text>      only rows whose name contains this; nothing is written then
  --threads <n>      (all)
  --rounds <n>       of which medians are shown (5)
  --seconds <x>      of each contestant in each round (0.5)
  --compile          also let PyTorch compile each model, which takes minutes
  --json             print JSON instead of tables

Python with PyTorch: python3, or what DEEP_RNN_PYTHON names.
`;

type ReportRow = Row & { phases?: Phases; scaling?: Scaling };

interface Report {
  rows: ReportRow[];
  wholeProgram?: WholeProgram;
  system?: System;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    suite: { type: 'string', default: 'main' },
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.5' },
    compile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const timing: Timing = { rounds: Number(options.rounds), seconds: Number(options.seconds) };
const known = options.suite === 'all' || Object.hasOwn(SUITES, options.suite);
if (options.help || !known || !(threads >= 1 && timing.rounds >= 1 && timing.seconds > 0)) {
  process.stdout.write(USAGE);
  process.exit(options.help ? 0 : 2);
}
const suites = options.suite === 'all' ? (Object.keys(SUITES) as SuiteName[]) : [options.suite as SuiteName];
const isWanted = (name: string) => name.toLowerCase().includes(options.only.toLowerCase());
const print = (text: string) => {
  if (!options.json) console.log(text);
};

async function measureBeside(suite: SuiteName, pytorch: PyTorch | undefined, workload: Workload): Promise<ReportRow> {
  using cpu = device('cpu', { threads: workload.threads ?? threads });
  const rivals = (await pytorch?.contestants(workload, cpu.threads, options.compile)) ?? [];
  const row = await measure(workload, cpu, rivals, timing);
  for (const rival of rivals) rival.close();
  if (suite === 'scaling') return { ...row, scaling: scalingOf(row, workload, cpu.memory()) };
  // The parts that this can tell apart are those of a step over whole sequences.
  if (workload.task !== 'train' || workload.lengths) return row;
  return { ...row, phases: await measurePhases(workload, cpu, { ...timing, seconds: timing.seconds / 4 }) };
}

async function measureSuite(name: SuiteName, pytorch: PyTorch | undefined): Promise<Report> {
  const report: Report = { rows: [] };
  const workloads = SUITES[name].filter((each) => isWanted(each.name) && (each.threads ?? 1) <= threads);
  if (workloads.length > 0) print(`\n${heading(pytorch && `PyTorch ${pytorch.version}`)}`);
  for (const workload of workloads) {
    const row = await measureBeside(name, pytorch, workload);
    report.rows.push(row);
    print(line(row));
  }
  const split = report.rows.filter((row) => row.phases);
  if (split.length > 0) print(`\n${phaseLine('ms a step', ['forward', 'backward', 'weights', 'update'])}`);
  for (const { name, phases } of split) {
    print(
      phaseLine(
        name,
        Object.values(phases!).map((milliseconds) => milliseconds.toFixed(2)),
      ),
    );
  }
  for (const text of scalingLines(report.rows)) print(text);
  if (name === 'system') {
    report.system = await measureSystem(threads, timing);
    print('');
    for (const text of systemLines(report.system)) print(text);
  }
  if (name === 'main' && isWanted('whole program')) {
    using cpu = device('cpu', { threads });
    report.wholeProgram = await measureWholeProgram(cpu, { ...timing, rounds: 2 * timing.rounds });
    const { bare, trainer, loss } = report.wholeProgram;
    const rates = `Trainer ${(trainer / 1000).toFixed(1)}, bare step ${(bare / 1000).toFixed(1)} thousand tokens/s`;
    print(`\nwhole program, ${HEADLINE.name}: ${rates}; ${(100 * loss).toFixed(1)} % lost`);
  }
  return report;
}

function phaseLine(name: string, cells: readonly string[]): string {
  return name.padEnd(42) + cells.map((cell) => cell.padStart(10)).join('');
}

/** Four digits are more than any of this is worth. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value;
}

const python = findPython();
if (!python)
  console.error('PyTorch was not found, so nothing is compared. DEEP_RNN_PYTHON names a Python that has it.');
const pytorch = python === undefined ? undefined : await PyTorch.start(python, root);
print(`${machine(threads)}; ${timing.rounds} rounds of ${timing.seconds} s each, in turn`);
const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
for (const suite of suites) {
  const report = await measureSuite(suite, pytorch);
  const record = {
    date: new Date().toISOString(),
    machine: machine(threads),
    versions: { 'deep-rnn': version, node: process.version, pytorch: pytorch?.version },
    timing,
    ...report,
  };
  const text = JSON.stringify(record, rounded, 2);
  if (options.json) console.log(text);
  if (options.only === '') {
    mkdirSync(`${root}/bench/results`, { recursive: true });
    writeFileSync(`${root}/bench/results/${suite}.json`, `${text}\n`);
  }
}
pytorch?.stop();
