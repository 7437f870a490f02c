/** Which of cuDNN's algorithms runs a stack (on the stand-in for a GPU, see scripts/cuda-tests.mjs), and device.explain. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Device, device, type RnnPassExplanation } from '../../src/device.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { RecurrentInput, RecurrentOptions, RecurrentStack } from '../../src/nn/recurrent.js';
import { tensor } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward, noGrad } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { uniformDraws } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const shared = expectNoLeaks();
const SHAPE = [5, 3, 6];
const OPTIONS: RecurrentOptions = { layers: 2, hiddenSize: 8, inputSize: 6 };
/** cuDNN's numbers of its algorithms. */
const NUMBER = { standard: 0, persistStatic: 1, persistDynamic: 2, persistStaticSmallH: 3 };

const variables = ['DEEP_RNN_ALGORITHM', 'DEEP_RNN_TUNING_CACHE', 'DEEP_RNN_SHIM_FASTEST'];
const saved = variables.map((name) => process.env[name]);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-rnn-algorithms-'));
  process.env.DEEP_RNN_ALGORITHM = 'auto';
  process.env.DEEP_RNN_TUNING_CACHE = folder;
  process.env.DEEP_RNN_SHIM_FASTEST = String(NUMBER.persistDynamic);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  variables.forEach((name, i) => {
    if (saved[i] === undefined) delete process.env[name];
    else process.env[name] = saved[i];
  });
});

interface Run {
  numbers: number[];
  passes: RnnPassExplanation[];
}

/** A step (or inference) of a stack with fixed numbers: output, gradients, and the explanation. */
async function run(
  on: Device,
  make: (options: RecurrentOptions) => RecurrentStack,
  { input = {}, trains = true }: { input?: RecurrentInput; trains?: boolean } = {},
): Promise<Run> {
  manualSeed(4);
  const stack = make({ ...OPTIONS, device: on });
  const x = tensor(Float32Array.from(uniformDraws(1, 90)), { shape: SHAPE, device: on, requiresGrad: trains });
  let reads: Promise<ArrayLike<number>>[] = [];
  scope(() => {
    const step = () => {
      const { output } = stack.forward(x, input);
      reads = [output.data()];
      if (!trains) return;
      backward(output.square().sum());
      reads.push((x.grad as Tensor).data(), stack.parametersBlock!.grad.data());
    };
    if (trains) step();
    else noGrad(step);
  });
  const numbers = (await Promise.all(reads)).flatMap((read) => Array.from(read));
  const { passes } = await on.explain(stack, x, input);
  x.grad?.dispose();
  x.dispose();
  stack.dispose();
  return { numbers, passes };
}

const lstm = (options: RecurrentOptions) => new DeepLSTM(options);
const gru = (options: RecurrentOptions) => new DeepGRU(options);

describe.runIf(shared.kind === 'cuda')('algorithms of cuDNN', () => {
  it.each(Object.entries(NUMBER))('the fastest runs, and gives the same numbers: %s', async (name, number) => {
    process.env.DEEP_RNN_SHIM_FASTEST = String(number);
    using gpu = device('cuda');
    const fastest = await run(gpu, lstm);
    const standard = await run(gpu, (options) => lstm({ ...options, algorithm: 'standard' }));
    expectClose(fastest.numbers, standard.numbers, 'recurrent');
    expect(fastest.passes).toMatchObject([{ pass: 'training', source: 'measured', chosen: { algorithm: name } }]);
    const names = fastest.passes[0].candidates.map(({ algorithm }) => algorithm);
    expect(names).toEqual(Object.keys(NUMBER));
    for (const { milliseconds } of fastest.passes[0].candidates) expect(milliseconds).toBeGreaterThan(0);
    expect(standard.passes).toMatchObject([{ source: 'pinned', chosen: { algorithm: 'standard' } }]);
  });

  it('inference is measured apart from training', async () => {
    using gpu = device('cuda');
    const { passes } = await run(gpu, lstm, { trains: false });
    expect(passes).toMatchObject([{ pass: 'inference', chosen: { algorithm: 'persistDynamic' } }]);
  });

  it('falls through where cuDNN refuses when it runs, and tells its words', async () => {
    process.env.DEEP_RNN_SHIM_FASTEST = String(NUMBER.persistStatic);
    using gpu = device('cuda');
    const { passes } = await run(gpu, gru);
    expect(passes[0].chosen.algorithm).not.toBe('persistStatic');
    expect(passes[0].candidates[1].refused).toContain('static persistence has no GRU');
  });

  it('a refusal of backward alone counts too', async () => {
    process.env.DEEP_RNN_SHIM_FASTEST = String(NUMBER.persistStaticSmallH);
    using gpu = device('cuda');
    const wide = (options: RecurrentOptions) => new DeepLSTM({ ...options, layers: 1, hiddenSize: 132 });
    const training = await run(gpu, wide);
    expect(training.passes[0].candidates[3].refused).toContain('cudnnRNNBackwardData_v8 failed');
    const inference = await run(gpu, wide, { trains: false });
    expect(inference.passes[0].chosen.algorithm).toBe('persistStaticSmallH');
  });

  it.each<[string, (options: RecurrentOptions) => RecurrentStack, RecurrentInput]>([
    ['a projection', (options) => new DeepLSTM({ ...options, projSize: 3 }), {}],
    ['one bias', (options) => new DeepLSTM({ ...options, bias: 'single' }), {}],
    ['unequal lengths', lstm, { lengths: [5, 0, 3] }],
  ])('the standard one alone takes %s', async (_, make, input) => {
    using gpu = device('cuda');
    const { passes } = await run(gpu, make, { input });
    expect(passes).toMatchObject([{ source: 'only', chosen: { algorithm: 'standard' } }]);
  });

  it('equal lengths are none', async () => {
    using gpu = device('cuda');
    const { passes } = await run(gpu, lstm, { input: { lengths: [5, 5, 5] } });
    expect(passes).toMatchObject([{ source: 'measured', chosen: { algorithm: 'persistDynamic' } }]);
  });

  it.each(['float16', 'bfloat16', 'tf32'] as const)('run %s', async (precision) => {
    using gpu = device('cuda');
    const { numbers, passes } = await run(gpu, (options) => lstm({ ...options, precision }));
    expect(numbers.every(Number.isFinite)).toBe(true);
    expect(passes[0].chosen.algorithm).toBe('persistDynamic');
  });

  it('pinned ones are not measured, and fail where they cannot run', async () => {
    using gpu = device('cuda');
    const pinned = (make: typeof lstm) => (options: RecurrentOptions) =>
      make({ ...options, algorithm: 'persistStatic' });
    const { passes } = await run(gpu, pinned(lstm));
    expect(passes).toMatchObject([
      { source: 'pinned', chosen: { algorithm: 'persistStatic' }, candidates: [{ algorithm: 'persistStatic' }] },
    ]);
    expect(() => new DeepLSTM({ ...OPTIONS, algorithm: 'persistStatic', bias: false, device: gpu })).toThrow(
      'the algorithm persistStatic does not take this stack',
    );
    await expect(run(gpu, pinned(gru))).rejects.toThrow('static persistence has no GRU');
  });

  it('the environment pins those of all stacks that pin none', async () => {
    process.env.DEEP_RNN_ALGORITHM = 'persistStaticSmallH';
    {
      using gpu = device('cuda');
      const { passes } = await run(gpu, lstm);
      expect(passes).toMatchObject([{ source: 'pinned', chosen: { algorithm: 'persistStaticSmallH' } }]);
    }
    process.env.DEEP_RNN_ALGORITHM = 'fast';
    expect(() => device('cuda')).toThrow('persistStaticSmallH for DEEP_RNN_ALGORITHM but received fast');
  });

  it('are remembered in a file, which may be lost or broken', async () => {
    const tuned = async () => {
      using gpu = device('cuda');
      return (await run(gpu, lstm)).passes[0];
    };
    const first = await tuned();
    expect(first.source).toBe('measured');
    const [name] = readdirSync(folder);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^cudnn-algorithms-[0-9a-f]{16}\.txt$/)]);
    const path = join(folder, name);
    const whole = readFileSync(path, 'utf8');
    // Another one would be the fastest now.
    process.env.DEEP_RNN_SHIM_FASTEST = String(NUMBER.standard);
    const again = await tuned();
    expect(again).toEqual({ ...first, source: 'cached' });
    const lines = whole.split('\n');
    for (const broken of ['', 'x', `${whole}3 4\t9 0 `, [lines[0], 'another GPU', lines[2], ''].join('\n')]) {
      writeFileSync(path, broken);
      expect(await tuned()).toMatchObject({ source: 'measured', chosen: { algorithm: 'standard' } });
      expect(readFileSync(path, 'utf8').split('\n').slice(0, 2)).toEqual(lines.slice(0, 2));
    }
    process.env.DEEP_RNN_TUNING_CACHE = 'off';
    process.env.DEEP_RNN_SHIM_FASTEST = String(NUMBER.persistDynamic);
    expect(await tuned()).toMatchObject({ source: 'measured', chosen: { algorithm: 'persistDynamic' } });
  });
});

describe('explain', () => {
  it('tells how a CPU shares a pass', async () => {
    using cpu = device('cpu', { threads: 2 });
    const { passes } = await run(cpu, lstm);
    expect(passes.map(({ pass }) => pass)).toEqual(['forward', 'backward']);
    for (const { chosen, candidates, source } of passes) {
      expect(['only', 'measuring']).toContain(source);
      expect(chosen.threads).toBeLessThanOrEqual(2);
      expect(['rows', 'units']).toContain(chosen.split);
      expect(candidates).toContainEqual(chosen);
    }
  });

  it('knows nothing of passes that have not run', async () => {
    using rnn = new DeepGRU({ inputSize: 3, hiddenSize: 4 });
    using x = tensor(new Float32Array(6), { shape: [1, 2, 3] });
    expect(await shared.explain(rnn, x)).toEqual({ device: shared.description, passes: [] });
  });

  it('refuses what is no stack of the device', async () => {
    using other = device('cpu', { threads: 1 });
    using rnn = new DeepGRU({ inputSize: 3, hiddenSize: 4, device: other });
    using x = tensor(new Float32Array(6), { shape: [1, 2, 3], device: other });
    await expect(shared.explain(rnn, x)).rejects.toThrow('Expected a stack on this device for rnn');
    await expect(shared.explain({} as never)).rejects.toThrow('Expected a recurrent stack for rnn');
    await expect(other.explain(rnn, x, { length: 3 } as never)).rejects.toThrow("did you mean 'lengths'?");
  });
});
