/** Sequences longer than cuDNN takes at once, which are cut: here the stand-in for a GPU takes a few steps only. */
import { afterEach, describe, expect, it } from 'vitest';
import { Vocabulary } from '../../src/data/vocabulary.js';
import { type Device, device, setDefaultDevice } from '../../src/device.js';
import type { FloatDType } from '../../src/dtype.js';
import { ShapeError } from '../../src/errors.js';
import { graphed } from '../../src/graphed.js';
import { LanguageModel } from '../../src/models/language-model.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { RecurrentInput, RecurrentOptions, RecurrentStack } from '../../src/nn/recurrent.js';
import { DeepRNN } from '../../src/nn/rnn.js';
import { ones, tensor } from '../../src/ops/index.js';
import { Adam } from '../../src/optim/adam.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward, noGrad } from '../../src/tape.js';
import { CELLS, RECURRENT_CASES, type RecurrentCase } from '../cases/recurrent.js';
import { expectClose } from '../helpers/close.js';
import { uniformDraws } from '../helpers/fixtures.js';
import { drawNumbers, expectResults, fixtureOf, runStack, runTwin } from '../helpers/recurrent.js';
import { rhyme } from '../helpers/texts.js';

const variables = ['DEEP_RNN_CUDNN_STEPS', 'DEEP_RNN_SHIM_STEPS', 'DEEP_RNN_ALGORITHM', 'DEEP_RNN_SHIM_FASTEST'];
const saved = variables.map((name) => process.env[name]);
const restore = () =>
  variables.forEach((name, i) => {
    if (saved[i] === undefined) delete process.env[name];
    else process.env[name] = saved[i];
  });
afterEach(restore);

/** Runs `body` on a device of its own whose cuDNN takes so many steps at once; absent: as many as it does. */
async function limited<T>(steps: number | undefined, body: (on: Device) => T): Promise<Awaited<T>> {
  if (steps !== undefined) process.env.DEEP_RNN_CUDNN_STEPS = process.env.DEEP_RNN_SHIM_STEPS = String(steps);
  using on = device('cuda');
  setDefaultDevice(on);
  try {
    const result = await body(on);
    expect(on.memory().buffers, 'buffers left').toBe(0);
    return result;
  } finally {
    restore();
  }
}

/** What `body` gives with passes that are cut and with whole ones. */
async function bothWays<T>(steps: number, body: (on: Device) => T): Promise<[Awaited<T>, Awaited<T>]> {
  return [await limited(steps, body), await limited(undefined, body)];
}

const MORE: Partial<RecurrentCase>[] = [
  { name: 'ends in every chunk', lengths: [7, 2, 0, 4, 3] },
  { name: 'ends before the last chunk', lengths: [2, 4, 1, 0, 3] },
  { name: 'nothing but empty sequences', lengths: [0, 0, 0, 0, 0] },
  { name: 'tokens and lengths', lengths: [3, 7, 6, 0, 1], tokens: true },
];
describe.each([1, 4])('a cut after %i steps', (limit) => {
  it.each(CELLS)('%s: whatever whole passes must give', async (name) => {
    const clipped = name === 'lstm' ? { cellClip: 0.3, projSize: 3 } : {};
    const shape = { layers: 2, steps: 7, batch: 5, initialState: true };
    const listed = RECURRENT_CASES.filter((options) => options.cell === name && !options.bidirectional);
    const more = MORE.map(
      (options): RecurrentCase => ({ ...listed[0], ...shape, ...clipped, ...options, oracle: 'twin' }),
    );
    await limited(limit, async () => {
      for (const options of [...listed, ...more]) {
        const numbers = options.oracle === 'torch' ? fixtureOf(options).numbers : drawNumbers(options);
        const wanted = options.oracle === 'torch' ? fixtureOf(options).wanted : await runTwin(options, numbers);
        for (const dtype of ['float64', 'float32'] as const)
          expectResults(await runStack(options, dtype, numbers), wanted, dtype, `${options.name}, ${dtype}, `);
      }
    });
  });
});

const [STEPS, BATCH, FEATURES] = [11, 3, 6];

interface Run {
  input?: RecurrentInput;
  dtype?: FloatDType;
  /** How far along a fixed direction x is moved. */
  by?: number;
}

/** Output, final state, and the gradients of x and of the parameters. */
async function run(
  make: (options: RecurrentOptions) => RecurrentStack,
  options: RecurrentOptions,
  { input, dtype = 'float32', by = 0 }: Run = {},
): Promise<{ output: number[]; h: number[]; dx: number[]; dparams: number[]; loss: number }> {
  manualSeed(4);
  const stack = make({ layers: 2, hiddenSize: 8, inputSize: FEATURES, dtype, ...options });
  const size = STEPS * BATCH * FEATURES;
  const direction = uniformDraws(2, size);
  const data = uniformDraws(1, size).map((value, i) => value + by * direction[i]);
  const reads = scope(() => {
    const x = tensor(data, { shape: [STEPS, BATCH, FEATURES], dtype, requiresGrad: true });
    const { output, state } = stack.forward(x, input);
    const weights = tensor(uniformDraws(3, output.size), { shape: output.shape, dtype });
    const loss = output.mul(weights).sum().add(state.h.sum());
    backward(loss);
    return [output.data(), state.h.data(), x.grad!.data(), stack.parametersBlock!.grad.data(), loss.data()];
  });
  const [output, h, dx, dparams, [loss]] = (await Promise.all(reads)).map((read) => Array.from(read));
  stack.dispose();
  return { output, h, dx, dparams, loss };
}

const lstm = (options: RecurrentOptions) => new DeepLSTM(options);
const gru = (options: RecurrentOptions) => new DeepGRU(options);

describe('passes that are cut', () => {
  it.each([
    ['float16', 4e-3],
    ['bfloat16', 3e-2],
    ['tf32', 1e-5],
  ] as const)('differ from whole ones by rounding only: %s', async (precision, allowed) => {
    const [cut, whole] = await bothWays(4, () => run(lstm, { precision }, { input: { lengths: [11, 6, 2] } }));
    for (const name of ['output', 'h', 'dx', 'dparams'] as const) {
      const scale = Math.max(...whole[name].map(Math.abs));
      const difference = Math.max(...cut[name].map((value, i) => Math.abs(value - whole[name][i])));
      expect(difference / scale, name).toBeLessThan(allowed);
    }
  });

  it('repeat their masks with the seed, which differ from chunk to chunk', async () => {
    await limited(4, async () => {
      const once = await run(gru, { dropout: 0.5 });
      expect(await run(gru, { dropout: 0.5 })).toEqual(once);
      expect((await run(gru, { dropout: 0.4 })).output).not.toEqual(once.output);
    });
    // Units that always say 1, of which half are dropped: each output tells how many were.
    const counts = await limited(4, async () => {
      manualSeed(4);
      const stack = new DeepRNN({ layers: 2, hiddenSize: 16, inputSize: 1, nonlinearity: 'relu', dropout: 0.5 });
      for (const [name, parameter] of stack.namedParameters())
        parameter.copyFrom(new Float32Array(parameter.size).fill(name.startsWith('weight_ih') ? 1 : 0));
      const values = await scope(() => stack.forward(ones([8, 2, 1])).output.data());
      stack.dispose();
      return Array.from(values).filter((_, i) => i % 16 === 0);
    });
    expect(new Set(counts).size).toBeGreaterThan(1);
    expect(counts.slice(0, 8)).not.toEqual(counts.slice(8));
  });

  it.each([gru, lstm])('go back through the masks that they went forward with', async (make) => {
    await limited(4, async () => {
      const settings = { dtype: 'float64', input: { lengths: [11, 5, 8] } } as const;
      const { dx } = await run(make, { dropout: 0.3 }, settings);
      const by = 1e-5;
      const above = await run(make, { dropout: 0.3 }, { ...settings, by });
      const below = await run(make, { dropout: 0.3 }, { ...settings, by: -by });
      const slope = uniformDraws(2, dx.length).reduce((sum, value, i) => sum + value * dx[i], 0);
      expectClose((above.loss - below.loss) / (2 * by), slope, 'gradcheck', 'float64');
    });
  });

  it('run by whichever algorithm a chunk was the fastest with', async () => {
    process.env.DEEP_RNN_ALGORITHM = 'auto';
    process.env.DEEP_RNN_SHIM_FASTEST = '2';
    process.env.DEEP_RNN_CUDNN_STEPS = process.env.DEEP_RNN_SHIM_STEPS = '4';
    using on = device('cuda');
    setDefaultDevice(on);
    const fast = await run(gru, {});
    using stack = new DeepGRU({ layers: 2, hiddenSize: 8, inputSize: FEATURES });
    using x = tensor(new Float32Array(STEPS * BATCH * FEATURES), { shape: [STEPS, BATCH, FEATURES] });
    const { passes } = await on.explain(stack, x);
    expect(passes).toMatchObject([{ pass: 'training', source: 'measured', chosen: { algorithm: 'persistDynamic' } }]);
    restore();
    const { output, dparams } = await limited(undefined, () => run(gru, {}));
    expectClose(fast.output, output, 'recurrent');
    expectClose(fast.dparams, dparams, 'recurrent');
  });

  it.each([0, 0.4])('are replayed in CUDA graphs: dropout %f', async (dropout) => {
    const train = async (cudaGraphs: boolean) => {
      process.env.DEEP_RNN_CUDNN_STEPS = process.env.DEEP_RNN_SHIM_STEPS = '4';
      using on = device('cuda', { cudaGraphs });
      setDefaultDevice(on);
      manualSeed(4);
      const stack = new DeepLSTM({ layers: 2, hiddenSize: 8, inputSize: FEATURES, dropout });
      const optimizer = new Adam({ learningRate: 0.01 }).attach(stack);
      const losses: number[] = [];
      for (let step = 0; step < 8; step++) {
        const loss = graphed(() =>
          scope(() => {
            const tokens = Int32Array.from(uniformDraws(step, STEPS * BATCH), (value) => Math.abs(value) * FEATURES);
            optimizer.zeroGrad();
            const mean = stack
              .forward(tensor(tokens, { shape: [STEPS, BATCH] }))
              .output.square()
              .mean();
            backward(mean);
            optimizer.step();
            return mean.detach();
          }),
        );
        losses.push(await loss.item());
        loss.dispose();
      }
      const graphs = on.graphs();
      optimizer.dispose();
      stack.dispose();
      restore();
      return { losses, graphs };
    };
    const replayed = await train(true);
    expect(replayed.losses).toEqual((await train(false)).losses);
    expect(new Set(replayed.losses).size).toBe(8);
    expect(replayed.graphs).toMatchObject({ refused: 0 });
    expect(replayed.graphs.replayed).toBeGreaterThan(3);
  });

  it('read prompts', async () => {
    const [cut, whole] = await bothWays(4, async () => {
      manualSeed(4);
      const vocabulary = new Vocabulary(rhyme);
      using model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 16, dtype: 'float64' }), { vocabulary });
      return model.generate(rhyme.slice(0, 30), { length: 20, temperature: 0.7, seed: 3 });
    });
    expect(cut).toBe(whole);
  });

  it('say which token is wrong', async () => {
    await limited(4, async (on) => {
      using stack = new DeepGRU({ hiddenSize: 3, inputSize: 5 });
      using tokens = tensor(
        Int32Array.from({ length: 18 }, (_, i) => (i === 13 ? 5 : 1)),
        { shape: [9, 2] },
      );
      const read = noGrad(() => scope(() => stack.forward(tokens).output.data()));
      await expect(read).rejects.toThrow('token 5 outside 0..4 at row 13');
      on.clearError();
    });
  });
});

describe('what cannot be cut', () => {
  it('is refused before anything is computed: a stack of both directions', async () => {
    await limited(4, async (on) => {
      using stack = new DeepGRU({ hiddenSize: 3, inputSize: 5, bidirectional: true });
      using x = ones([5, 2, 5]);
      const before = on.memory();
      expect(() => stack.forward(x)).toThrow(ShapeError);
      expect(() => stack.forward(x)).toThrow(
        'Expected at most 4 steps, as the stack is bidirectional, for x but received [5, 2, 5]',
      );
      expect(on.memory()).toEqual(before);
      using short = ones([4, 2, 5]);
      const read = scope(() => stack.forward(short).output.data());
      expect((await read).every(Number.isFinite)).toBe(true);
    });
  });

  it('is refused by the stand-in, which takes no more steps than cuDNN', async () => {
    process.env.DEEP_RNN_SHIM_STEPS = '4';
    using on = device('cuda');
    using stack = new DeepGRU({ hiddenSize: 3, inputSize: 5, device: on });
    using x = ones([5, 2, 5], { device: on });
    const read = noGrad(() => scope(() => stack.forward(x).output.data()));
    await expect(read).rejects.toThrow('CUDNN_STATUS_NOT_SUPPORTED');
    on.clearError();
  });

  it.each(['0', '-1', 'many', '3.5'])('is a limit of %s steps', (steps) => {
    process.env.DEEP_RNN_CUDNN_STEPS = steps;
    expect(() => device('cuda')).toThrow(`Expected a positive integer for DEEP_RNN_CUDNN_STEPS but received ${steps}`);
  });
});
