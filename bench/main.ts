/** `npm run bench`: training throughput beside PyTorch, both timed in turn in one run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { device } from 'deep-rnn';
import { type Case, cases, trainingFlops } from './cases.js';
import { startOurs } from './ours.js';
import { findPython, type Peer, startPyTorch } from './peers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log('npm run bench -- [--threads N] [--rounds N] [--seconds per round] [--only part-of-a-name]');
  process.exit(0);
}
const threads = Number(options.threads);
const rounds = Number(options.rounds);
const secondsPerRound = Number(options.seconds);

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
const thousands = (value: number): string => (value / 1000).toFixed(1);

/** Tokens per second of each round; contestants take turns, so that drift of the machine meets all of them. */
async function race(contestants: Peer[], tokensPerStep: number): Promise<number[][]> {
  const counts: number[] = [];
  for (const contestant of contestants) {
    await contestant.run(2);
    counts.push(Math.max(1, Math.round((secondsPerRound * 3) / (await contestant.run(3)))));
  }
  const rates: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, contestant] of contestants.entries())
      rates[i].push((counts[i] * tokensPerStep) / (await contestant.run(counts[i])));
  return rates;
}

async function measure(test: Case, python: string | undefined) {
  using cpu = device('cpu', { threads });
  const contestants = [startOurs(test, cpu)];
  if (python) contestants.push(await startPyTorch(python, root, test, threads));
  const tokens = test.batch * test.steps;
  const rates = await race(contestants, tokens);
  for (const contestant of contestants) contestant.close();
  const [ours, theirs] = rates;
  return {
    case: test,
    ours: { name: contestants[0].name, median: median(ours), rates: ours },
    gigaflops: (median(ours) / tokens) * trainingFlops(test) * 1e-9,
    pytorch: theirs && { name: contestants[1].name, median: median(theirs), rates: theirs },
    ratio: theirs && median(ours.map((rate, round) => rate / theirs[round])),
  };
}

const python = findPython();
if (!python) console.log('PyTorch was not found: its column is left out. Set DEEP_RNN_PYTHON to a Python that has it.');
const results = [];
console.log(
  `${cpus()[0]?.model ?? arch()}, ${threads} threads, ${rounds} rounds of ${secondsPerRound} s each, in turn`,
);
console.log('thousands of tokens/s: median (min - max); ratio: median over the rounds\n');
console.log(`${'training step'.padEnd(28)}${'deep-rnn'.padEnd(24)}${'GFLOP/s'.padEnd(10)}${'PyTorch'.padEnd(24)}ratio`);
for (const test of cases.filter(({ name }) => name.toLowerCase().includes(options.only.toLowerCase()))) {
  const result = await measure(test, python);
  results.push(result);
  const column = (entry?: { median: number; rates: number[] }) =>
    entry
      ? `${thousands(entry.median)} (${thousands(Math.min(...entry.rates))} - ${thousands(Math.max(...entry.rates))})`
      : '-';
  console.log(
    test.name.padEnd(28) +
      column(result.ours).padEnd(24) +
      result.gigaflops.toFixed(0).padEnd(10) +
      column(result.pytorch).padEnd(24) +
      (result.ratio?.toFixed(2) ?? '-'),
  );
}
console.log(`\n${results[0]?.ours.name}${results[0]?.pytorch ? `\n${results[0].pytorch.name}` : ''}`);
mkdirSync(`${root}/bench/results`, { recursive: true });
const record = { date: new Date().toISOString(), node: process.version, cpu: cpus()[0]?.model, threads, results };
writeFileSync(`${root}/bench/results/training.json`, `${JSON.stringify(record, null, 2)}\n`);
