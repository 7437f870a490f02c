/** `deep-rnn bench`: how fast this machine trains and writes, and how much of what it could do at most that is. */
import { availableParallelism } from 'node:os';
import { heading, line, machine, measure, type Row } from '../bench/measure.js';
import { MAIN_SUITE } from '../bench/workload.js';
import { device } from '../device.js';
import { Arguments, UsageError } from './arguments.js';
import { benchCuda } from './bench-cuda.js';
import type { Command } from './command.js';

export const bench: Command = {
  help: `Times training steps and generation, against the peak of this machine's multiply-adds measured in between.

Usage: deep-rnn bench [options]

  --device <kind>        cpu or cuda; on cuda beside cuDNN's own calls in a bare loop (cpu)
  --only <text>          only rows whose name contains this
  --threads <n>          (all)
  --rounds <n>           of which the median is shown (5)
  --seconds <x>          of each row in each round (0.5)
  --json                 print JSON instead of a table
`,

  async run(args) {
    const options = new Arguments(args, {
      device: { type: 'string' },
      only: { type: 'string' },
      threads: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'boolean' },
    });
    if (options.positionals.length > 0)
      throw new UsageError(`Expected options only but received ${options.positionals[0]}`);
    if (options.choice('device', ['cpu', 'cuda'], 'cpu') === 'cuda') return benchCuda(options);
    const only = options.string('only', '').toLowerCase();
    const threads = options.integer('threads', 1, availableParallelism());
    const timing = { rounds: options.integer('rounds', 1, 5), seconds: options.number('seconds', 0, 0.5) };
    const workloads = MAIN_SUITE.filter(
      (workload) => workload.name.toLowerCase().includes(only) && (workload.threads ?? 1) <= threads,
    );
    if (workloads.length === 0)
      throw options.mistake(`a part of ${MAIN_SUITE.map(({ name }) => name).join('; ')}`, 'only');

    const json = options.flag('json');
    if (!json) console.log(`${machine(threads)}\n\n${heading()}`);
    const rows: Row[] = [];
    for (const workload of workloads) {
      using cpu = device('cpu', { threads: workload.threads ?? threads });
      const row = await measure(workload, cpu, [], timing);
      rows.push(row);
      if (!json) console.log(line(row));
    }
    if (json) console.log(JSON.stringify(rows, null, 2));
    return 0;
  },
};
