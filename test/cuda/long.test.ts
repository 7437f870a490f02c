/** Sequences longer than cuDNN takes at once, which are cut: here the stand-in for a GPU takes a few steps only. */
import { afterEach, describe, expect, it } from 'vitest';
import { Vocabulary } from '../../src/data/vocabulary.js';
import { type Device, device, setDefaultDevice } from '../../src/device.js';
import type { FloatDType } from '../../src/dtype.js';
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
import type { Tensor } from '../../src/tensor.js';
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
  { name: 'tokens of three layers', layers: 3, tokens: true },
];

describe.each([1, 4])('a cut after %i steps', (limit) => {
  it.each(CELLS)('%s: whatever whole passes must give', async (name) => {
    const clipped = name === 'lstm' ? { cellClip: 0.3, projSize: 3 } : {};
    const shape = { layers: 2, steps: 7, batch: 5, initialState: true };
    const listed = RECURRENT_CASES.filter((options) => options.cell === name);
    const more = [false, true].flatMap((bidirectional) =>
      MORE.map((options): RecurrentCase => {
        const named = `${options.name}${bidirectional ? ', both directions' : ''}`;
        return { ...listed[0], ...shape, ...clipped, bidirectional, ...options, name: named, oracle: 'twin' };
      }),
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
const both = (options: RecurrentOptions) => new DeepLSTM({ ...options, layers: 3, bidirectional: true });

describe('passes that are cut', () => {
  it.each([
    ['float16', 4e-3, lstm],
    ['bfloat16', 3e-2, lstm],
    ['tf32', 1e-5, lstm],
    ['float16', 4e-3, both],
    ['bfloat16', 3e-2, both],
  ] as const)('differ from whole ones by rounding only: %s', async (precision, allowed, make) => {
    const [cut, whole] = await bothWays(4, () => run(make, { precision }, { input: { lengths: [11, 6, 2] } }));
    for (const name of ['output', 'h', 'dx', 'dparams'] as const) {
      const scale = Math.max(...whole[name].map(Math.abs));
      const difference = Math.max(...cut[name].map((value, i) => Math.abs(value - whole[name][i])));
      expect(difference / scale, name).toBeLessThan(allowed);
    }
  });

  it.each([gru, both])('repeat their masks with the seed', async (make) => {
    await limited(4, async () => {
      const once = await run(make, { dropout: 0.5 });
      expect(await run(make, { dropout: 0.5 })).toEqual(once);
      expect((await run(make, { dropout: 0.4 })).output).not.toEqual(once.output);
    });
  });

  it.each([false, true])('have other masks in each chunk and layer: bidirectional %s', async (bidirectional) => {
    // Units that always say 1, of which half are dropped: each output tells how many were.
    const counts = await limited(4, async () => {
      manualSeed(4);
      const options = { layers: 2, hiddenSize: 16, inputSize: 1, dropout: 0.5, bidirectional };
      const stack = new DeepRNN({ ...options, nonlinearity: 'relu' });
      for (const [name, parameter] of stack.namedParameters())
        parameter.copyFrom(new Float32Array(parameter.size).fill(name.startsWith('weight_ih') ? 1 : 0));
      const values = Array.from(await scope(() => stack.forward(ones([8, 2, 1])).output.data()));
      stack.dispose();
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(Math.abs(mean / (bidirectional ? 32 : 16) - 1)).toBeLessThan(0.2);
      return values.filter((_, i) => i % (bidirectional ? 32 : 16) === 0);
    });
    expect(new Set(counts).size).toBeGreaterThan(1);
    expect(counts.slice(0, 8)).not.toEqual(counts.slice(8));
  });

  it.each([gru, lstm, both])('go back through the masks that they went forward with', async (make) => {
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

  it.each([gru, both])('run by whichever algorithm a chunk was the fastest with', async (make) => {
    process.env.DEEP_RNN_ALGORITHM = 'auto';
    process.env.DEEP_RNN_SHIM_FASTEST = '2';
    process.env.DEEP_RNN_CUDNN_STEPS = process.env.DEEP_RNN_SHIM_STEPS = '4';
    using on = device('cuda');
    setDefaultDevice(on);
    const fast = await run(make, {});
    using stack = make({ layers: 2, hiddenSize: 8, inputSize: FEATURES });
    using x = tensor(new Float32Array(STEPS * BATCH * FEATURES), { shape: [STEPS, BATCH, FEATURES] });
    const { passes } = await on.explain(stack, x);
    expect(passes).toMatchObject([{ pass: 'training', source: 'measured', chosen: { algorithm: 'persistDynamic' } }]);
    restore();
    const { output, dparams } = await limited(undefined, () => run(make, {}));
    expectClose(fast.output, output, 'recurrent');
    expectClose(fast.dparams, dparams, 'recurrent');
  });

  it.each([
    [0, lstm],
    [0.4, lstm],
    [0, both],
    [0.4, both],
  ])('are replayed in CUDA graphs: dropout %f', async (dropout, make) => {
    const train = async (cudaGraphs: boolean) => {
      process.env.DEEP_RNN_CUDNN_STEPS = process.env.DEEP_RNN_SHIM_STEPS = '4';
      using on = device('cuda', { cudaGraphs });
      setDefaultDevice(on);
      manualSeed(4);
      const stack = make({ layers: 2, hiddenSize: 8, inputSize: FEATURES, dropout });
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

  it.each([lstm, both])('give the same without a backward pass to come', async (make) => {
    await limited(4, async () => {
      const stack = make({ layers: 2, hiddenSize: 8, inputSize: FEATURES });
      const x = tensor(uniformDraws(1, STEPS * BATCH * FEATURES), {
        shape: [STEPS, BATCH, FEATURES],
        dtype: 'float32',
      });
      for (const lengths of [undefined, [11, 0, 7]]) {
        const outputs = () =>
          scope(() => {
            const { output, state } = stack.forward(x, { lengths });
            return [output.data(), state.h.data(), (state as { c: Tensor }).c.data()];
          });
        const [kept, passing] = [outputs(), noGrad(outputs)];
        expect(await Promise.all(passing)).toEqual(await Promise.all(kept));
      }
      x.dispose();
      stack.dispose();
    });
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

  it.each([false, true])('say which token is wrong: bidirectional %s', async (bidirectional) => {
    await limited(4, async (on) => {
      using stack = new DeepGRU({ hiddenSize: 3, inputSize: 5, bidirectional });
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
