import { describe, expect, it } from 'vitest';
import { trainingMemory } from '../../src/bench/memory.js';
import { startOurs } from '../../src/bench/ours.js';
import { HEADLINE, type Workload } from '../../src/bench/workload.js';
import { device } from '../../src/device.js';

const SMALL: Workload = { ...HEADLINE, layers: 2, hidden: 64, batch: 16, steps: 60 };
const WORKLOADS: [string, Workload][] = [
  ['the headline', HEADLINE],
  ['one layer', { ...SMALL, layers: 1 }],
  ['three layers', { ...SMALL, layers: 3 }],
  ['many steps', { ...SMALL, steps: 200 }],
  ['a size between blocks', { ...SMALL, hidden: 70 }],
  ['gru', { ...SMALL, cell: 'gru' }],
  ['tanh', { ...SMALL, cell: 'rnnTanh' }],
  ['both directions', { ...SMALL, bidirectional: true }],
  ['a projection', { ...SMALL, hidden: 128, projection: 32 }],
  ['bfloat16', { ...SMALL, precision: 'bfloat16' }],
];

describe('the memory of a training step', () => {
  it.each(WORKLOADS)('follows the formula: %s', async (_, workload) => {
    using cpu = device('cpu', { threads: 2 });
    const contestant = startOurs(workload, cpu);
    await contestant.run(3);
    const { peak, scratch } = cpu.memory();
    const formula = trainingMemory(workload);
    const buffers = formula.parameters + formula.reserve + formula.activations;
    expect(Math.abs(peak / buffers - 1), `${peak} bytes, ${buffers} by the formula`).toBeLessThan(0.03);
    // With bfloat16 each thread packs what it works on.
    const most = 1.1 * formula.scratch + (workload.precision === 'bfloat16' ? cpu.threads * 192 * 2 ** 10 : 0);
    const text = `${scratch} bytes of scratch, ${formula.scratch} by the formula`;
    expect(scratch, text).toBeLessThan(most);
    expect(scratch, text).toBeGreaterThan(0.7 * formula.scratch);
    contestant.close();
  });

  it('is taken from the system once: a steady step allocates nothing', async () => {
    using cpu = device('cpu', { threads: 2 });
    const contestant = startOurs(SMALL, cpu);
    await contestant.run(3);
    const { systemAllocations, cached, scratch } = cpu.memory();
    expect(systemAllocations).toBeGreaterThan(0);
    await contestant.run(10);
    expect(cpu.memory()).toMatchObject({ systemAllocations, cached, scratch });
    contestant.close();
  });
});
