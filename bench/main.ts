/** `npm run bench`: training and generation beside other libraries, all timed in turn; docs/benchmarks.md explains the table. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Device, device } from 'deep-rnn';
import type { Contestant, Timing } from '#bench/contestant';
import { heading, line, machine, measure, type Row } from '#bench/measure';
import { HEADLINE, type Workload } from '#bench/workload';
import { type Absence, PEERS, Peer, PeerFailure, type PeerName } from './peers.js';
import { measurePhases } from './phases.js';
import { mergeResults, type ReportRow, type Results, type Run, readResults, textOf, writeResults } from './results.js';
import { measureScaling, scalingLines } from './scaling.js';
import { SUITES, type SuiteName } from './suites.js';
import { measureSystem, systemLines } from './system.js';
import { measureWholeProgram } from './whole-program.js';

const USAGE = `npm run bench -- [options]

  --suite <name>     ${Object.keys(SUITES).join(', ')}, all (main)
  --only <pattern>   only rows whose name matches this regular expression; the others keep what is recorded
  --threads <n>      (all)
  --rounds <n>       of which medians are shown (5)
  --seconds <x>      of each contestant in each round (0.5)
  --peers <names>    ${Object.keys(PEERS).join(', ')}, with commas between; all; none (pytorch)
  --compile          also let PyTorch compile each model, which takes minutes
  --limit <s>        in which a rival must have built, compiled and done its work once, else the row goes without it (300)
  --results <folder> where <suite>.json is, into which rows are merged by name (bench/results)
  --json             print JSON instead of tables

Python with the peers' libraries: what DEEP_RNN_PYTHON_KERAS names for Keras, else what DEEP_RNN_PYTHON names, else python3.
`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    suite: { type: 'string', default: 'main' },
    only: { type: 'string', default: '' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.5' },
    peers: { type: 'string', default: 'pytorch' },
    compile: { type: 'boolean', default: false },
    limit: { type: 'string', default: '300' },
    results: { type: 'string', default: `${root}/bench/results` },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const threads = Number(options.threads);
const limit = Number(options.limit);
const timing: Timing = { rounds: Number(options.rounds), seconds: Number(options.seconds) };
const suites = listed<SuiteName>(options.suite, SUITES);
const wanted = options.peers === 'none' ? [] : listed<PeerName>(options.peers, PEERS);
const positive = threads >= 1 && limit > 0 && timing.rounds >= 1 && timing.seconds > 0;
if (options.help || !suites || !wanted || !positive) {
  process.stdout.write(USAGE);
  process.exit(options.help ? 0 : 2);
}
const pattern = new RegExp(options.only, 'i');
const print = (text: string) => {
  if (!options.json) console.log(text);
};

/** The names in a list with commas, or all of them; undefined where there is none of such a name. */
function listed<Name extends string>(list: string, known: Readonly<Record<Name, unknown>>): Name[] | undefined {
  const names = (list === 'all' ? Object.keys(known) : list.split(',')) as Name[];
  return names.every((name) => Object.hasOwn(known, name)) ? names : undefined;
}

async function measureBeside(suite: SuiteName, peers: readonly Peer[], workload: Workload): Promise<ReportRow> {
  using cpu = device('cpu', { threads: workload.threads ?? threads });
  const rivals: Contestant[] = [];
  const absences: Absence[] = [];
  for (const peer of peers) {
    const opened = await peer.contestants(workload, cpu.threads, { compile: options.compile, limit });
    rivals.push(...opened.contestants);
    absences.push(...opened.absences);
  }
  const row: ReportRow = await measureWhoStays(workload, cpu, rivals, absences);
  for (const rival of rivals) rival.close();
  if (absences.length > 0) row.absences = absences;
  if (suite === 'scaling') row.scaling = await measureScaling(workload, cpu, timing);
  // The parts that this can tell apart are those of a step over whole sequences.
  else if (workload.task === 'train' && !workload.lengths)
    row.phases = await measurePhases(workload, cpu, { ...timing, seconds: timing.seconds / 4 });
  return row;
}

/** Without those rivals that fail while the race is on. */
async function measureWhoStays(
  workload: Workload,
  cpu: Device,
  rivals: Contestant[],
  absences: Absence[],
): Promise<Row> {
  for (;;) {
    try {
      return await measure(workload, cpu, rivals, timing);
    } catch (error) {
      if (!(error instanceof PeerFailure)) throw error;
      absences.push({ name: error.rival, reason: error.message });
      rivals.splice(
        rivals.findIndex(({ name }) => name === error.rival),
        1,
      );
    }
  }
}

/** Measures what `--only` leaves of a suite and records each row as soon as it is there. */
async function measureSuite(suite: SuiteName, peers: readonly Peer[], date: string, run: Run): Promise<Results> {
  const file = join(options.results, `${suite}.json`);
  const names = SUITES[suite].map(({ name }) => name);
  let measured: Results = { runs: { [date]: run }, rows: [] };
  const record = (part: Partial<Results>) => {
    measured = { ...measured, ...part };
    writeResults(file, mergeResults(readResults(file), measured, names));
  };

  const workloads = SUITES[suite].filter(({ name, threads: least = 1 }) => pattern.test(name) && least <= threads);
  if (workloads.length > 0) print(`\n${heading(peers.length > 0)}`);
  for (const workload of workloads) {
    const row = await measureBeside(suite, peers, workload);
    record({ rows: [...measured.rows, { date, ...row }] });
    print(line(row));
    for (const { name, reason } of row.absences ?? []) print(`  without ${name}: ${reason}`);
  }
  for (const text of [...phaseLines(measured.rows), ...scalingLines(measured.rows)]) print(text);
  if (suite === 'system') {
    record({ system: { date, ...(await measureSystem(threads, timing)) } });
    print('');
    for (const text of systemLines(measured.system!)) print(text);
  }
  if (suite === 'main' && pattern.test('whole program')) {
    using cpu = device('cpu', { threads });
    const wholeProgram = await measureWholeProgram(cpu, { ...timing, rounds: 2 * timing.rounds });
    record({ wholeProgram: { date, ...wholeProgram } });
    const { bare, trainer, loss } = wholeProgram;
    const rates = `Trainer ${(trainer / 1000).toFixed(1)}, bare step ${(bare / 1000).toFixed(1)} thousand tokens/s`;
    print(`\nwhole program, ${HEADLINE.name}: ${rates}; ${(100 * loss).toFixed(1)} % lost`);
  }
  return measured;
}

function phaseLines(rows: readonly ReportRow[]): string[] {
  const split = rows.filter(({ phases }) => phases);
  if (split.length === 0) return [];
  const line = (name: string, cells: readonly string[]) =>
    name.padEnd(42) + cells.map((cell) => cell.padStart(10)).join('');
  return [
    '',
    line('ms a step', ['forward', 'backward', 'weights', 'update']),
    ...split.map(({ name, phases }) =>
      line(
        name,
        Object.values(phases!).map((milliseconds) => milliseconds.toFixed(2)),
      ),
    ),
  ];
}

const peers: Peer[] = [];
const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
const versions: Record<string, string> = { 'deep-rnn': version, node: process.version };
print(`${machine(threads)}; ${timing.rounds} rounds of ${timing.seconds} s each, in turn`);
for (const name of wanted) {
  const peer = await Peer.find(name, root);
  if (peer) {
    peers.push(peer);
    versions[name] = peer.version;
    print(`beside ${peer.title} (${peer.version})`);
  } else
    console.error(
      `${PEERS[name].title} was not found, so nothing is compared with it. ${PEERS[name].variable} names a Python that has it.`,
    );
}
for (const suite of suites) {
  const run = { machine: machine(threads), versions, timing };
  const results = await measureSuite(suite, peers, new Date().toISOString(), run);
  if (options.json) console.log(textOf(results));
}
for (const peer of peers) peer.stop();
