import { describe, expect, it } from 'vitest';
import { device } from '../../src/device.js';
import { ArgumentError, DeviceError, FreedError, ShapeError } from '../../src/errors.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { constant } from '../../src/nn/init.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { RecurrentOutput } from '../../src/nn/recurrent.js';
import { DeepRNN } from '../../src/nn/rnn.js';
import { detachState } from '../../src/nn/state.js';
import { concat, randn, slice, square, sum, tensor, zeros } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward, noGrad } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { makeStack, RECURRENT_CASES } from '../cases/recurrent.js';
import { expectClose } from '../helpers/close.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { drawNumbers } from '../helpers/recurrent.js';

expectNoLeaks();

/** Output and final states, read. */
function read({ output, state }: RecurrentOutput): Promise<Float32Array[]> {
  return Promise.all([output, ...Object.values(state)].map((value: Tensor) => value.data() as Promise<Float32Array>));
}

/** Runs `body` in a scope, recorded or not, and awaits the reads that it started. */
function reading<T>(body: () => Promise<T>, recorded = true): Promise<T> {
  let reads: Promise<T> | undefined;
  const start = () => {
    reads = body();
  };
  scope(() => (recorded ? start() : noGrad(start)));
  return reads!;
}

describe('a recurrent stack', () => {
  it('has the documented defaults', () => {
    using rnn = new DeepLSTM();
    const { layers, hiddenSize, inputSize, directions, bias, dropout, inputMode, batchFirst, projSize, cellClip } = rnn;
    expect({
      layers,
      hiddenSize,
      inputSize,
      directions,
      bias,
      dropout,
      inputMode,
      batchFirst,
      projSize,
      cellClip,
    }).toEqual({
      layers: 1,
      hiddenSize: 256,
      inputSize: undefined,
      directions: 1,
      bias: true,
      dropout: 0,
      inputMode: 'linear',
      batchFirst: false,
      projSize: 0,
      cellClip: 0,
    });
    expect(rnn.dtype).toBe('float32');
    expect(rnn.precision).toBe('float32');
    expect(new DeepRNN({ dtype: 'float64' }).precision).toBe('float64');
    expect(new DeepRNN().cell).toBe('rnnTanh');
  });

  it('takes its input size from the first float input', () => {
    using rnn = new DeepGRU({ hiddenSize: 4 });
    expect(rnn.isBuilt).toBe(false);
    scope(() => {
      const { output, state } = rnn.forward(zeros([3, 2, 7]));
      expect(output.shape).toEqual([3, 2, 4]);
      expect(state.h.shape).toEqual([1, 2, 4]);
    });
    expect(rnn.inputSize).toBe(7);
    expect(rnn.parameterCount).toBe(12 * 7 + 12 * 4 + 24);
  });

  it('computes the same with and without a tape, in every configuration', async () => {
    for (const options of RECURRENT_CASES) {
      const { weights, values } = drawNumbers(options);
      const rnn = makeStack(options, 'float32');
      rnn.loadStateDict(weights);
      const run = (recorded: boolean) =>
        reading(() => {
          const make = (name: string) => {
            const value = values.get(name);
            return (
              value && tensor(value.data, { shape: value.shape, dtype: value.dtype === 'int32' ? 'int32' : 'float32' })
            );
          };
          const [h, c] = [make('h0'), make('c0')];
          const state = h && (c ? { h, c } : { h });
          return read(rnn.forward(make('x') ?? make('tokens')!, { state, lengths: options.lengths ?? undefined }));
        }, recorded);
      expect(await run(false), `${options.cell} ${options.name}`).toEqual(await run(true));
      rnn.dispose();
    }
  });

  it('goes on from its state: two halves give the whole', async () => {
    using rnn = new DeepLSTM({ layers: 2, inputSize: 3, hiddenSize: 5, dtype: 'float64' });
    const [whole, halves] = await reading(() => {
      const x = randn([6, 2, 3], { dtype: 'float64' });
      const first = rnn.forward(slice(x, 0, 0, 4));
      const second = rnn.forward(slice(x, 0, 4), { state: first.state });
      const joined = { output: concat([first.output, second.output]), state: second.state };
      return Promise.all([read(rnn.forward(x)), read(joined)]);
    });
    whole.forEach((values, i) => {
      expectClose(halves[i], Array.from(values), 'recurrent', 'float64');
    });
  });

  it('starts from zeros when no state is given', async () => {
    using rnn = new DeepLSTM({ layers: 2, bidirectional: true, inputSize: 3, hiddenSize: 4, projSize: 2 });
    const [given, implied] = await reading(() => {
      const x = randn([3, 2, 3]);
      return Promise.all([read(rnn.forward(x, { state: rnn.zeroState(2) })), read(rnn.forward(x))]);
    });
    expect(given).toEqual(implied);
  });

  it('lets gradients through a state, but not through a detached one', async () => {
    using rnn = new DeepLSTM({ inputSize: 3, hiddenSize: 4 });
    const gradients = await reading(() => {
      const x = randn([2, 2, 3], { requiresGrad: true });
      const first = rnn.forward(x);
      backward(sum(square(rnn.forward(zeros([2, 2, 3]), { state: detachState(first.state) }).output)));
      expect(x.grad).toBeNull();
      backward(sum(square(rnn.forward(zeros([2, 2, 3]), { state: first.state }).output)));
      return x.grad!.data();
    });
    expect(gradients.every((value) => value !== 0)).toBe(true);
  });

  it('repeats its gradients when the graph is kept', async () => {
    using rnn = new DeepGRU({ layers: 2, bidirectional: true, inputSize: 3, hiddenSize: 4 });
    const block = rnn.parametersBlock!;
    const [once, twice] = await reading(() => {
      const loss = sum(square(rnn.forward(randn([4, 2, 3])).output));
      backward(loss, { retainGraph: true });
      const first = block.grad.data();
      backward(loss);
      return Promise.all([first, block.grad.data()]);
    });
    expect(Array.from(twice)).toEqual(Array.from(once, (value) => 2 * value));
  });
});

describe('dropout', () => {
  /** Two relu layers that pass on what they get: the output is layer 0's after dropout. */
  const passing = () => {
    const rnn = new DeepRNN({
      layers: 2,
      nonlinearity: 'relu',
      inputSize: 20,
      hiddenSize: 20,
      dropout: 0.25,
      bias: false,
    });
    const identity = Float32Array.from({ length: 400 }, (_, i) => (i % 21 === 0 ? 1 : 0));
    for (const [name, parameter] of rnn.namedParameters())
      parameter.copyFrom(name.startsWith('weight_ih') ? identity : new Float32Array(400));
    return rnn;
  };
  const ones = () => tensor(new Float32Array(30 * 20 * 20).fill(1), { shape: [30, 20, 20] });
  const output = (rnn: DeepRNN, recorded = true) => reading(() => rnn.forward(ones()).output.data(), recorded);

  it('zeroes a fraction p between layers and scales the rest, while training only', async () => {
    using rnn = passing();
    manualSeed(1);
    const values = await output(rnn);
    const zeroed = values.filter((value) => value === 0).length;
    // 12,000 draws: the deviation of the count is 47.
    expect(Math.abs(zeroed - 3000)).toBeLessThan(240);
    expectClose(
      values.filter((value) => value !== 0),
      new Array(12_000 - zeroed).fill(1 / 0.75),
      'elementwise',
    );
    rnn.eval();
    expect((await output(rnn)).every((value) => value === 1)).toBe(true);
  });

  it('repeats after manualSeed, and else draws anew', async () => {
    using rnn = passing();
    manualSeed(2);
    const [first, second] = [await output(rnn), await output(rnn)];
    expect(second).not.toEqual(first);
    manualSeed(2);
    expect([await output(rnn), await output(rnn)]).toEqual([first, second]);
    manualSeed(2);
    expect(await output(rnn, false)).toEqual(first);
  });

  it('leaves a single layer alone', async () => {
    using rnn = new DeepRNN({ inputSize: 3, hiddenSize: 4, dropout: 0.9 });
    const [first, second] = await reading(() => {
      const x = randn([4, 2, 3]);
      return Promise.all([rnn.forward(x).output.data(), rnn.forward(x).output.data()]);
    });
    expect(second).toEqual(first);
  });
});

describe('misuse', () => {
  it.each<[string, () => unknown, string]>([
    ['negative layers', () => new DeepLSTM({ layers: -1 }), 'layers but received -1'],
    ['fractional size', () => new DeepGRU({ hiddenSize: 2.5 }), 'hiddenSize but received 2.5'],
    ['NaN dropout', () => new DeepRNN({ dropout: Number.NaN }), 'dropout but received NaN'],
    ['NaN clip', () => new DeepLSTM({ cellClip: Number.NaN }), 'clip but received NaN'],
    ['zero input', () => new DeepGRU({ inputSize: 0 }), 'inputSize but received 0'],
    ['gigantic size', () => new DeepGRU({ hiddenSize: 1e12 }), 'hiddenSize but received 1000000000000'],
    ['unknown bias', () => new DeepRNN({ bias: 'double' as never }), "Expected true, false or 'single' for bias"],
    ['unknown mode', () => new DeepRNN({ inputMode: 'direct' as never }), 'for inputMode but received "direct"'],
    ['unknown nonlinearity', () => new DeepRNN({ nonlinearity: 'gelu' as never }), "one of 'tanh', 'relu'"],
    ['a misspelt option', () => new DeepLSTM({ hidden: 3 } as never), 'hidden'],
    ['projection of a GRU', () => new DeepGRU({ projSize: 2 } as never), 'projSize'],
    ['projection as wide as h', () => new DeepLSTM({ hiddenSize: 4, projSize: 4 }), 'projSize but received 4'],
    [
      'skip input of another size',
      () => new DeepGRU({ hiddenSize: 4, inputSize: 3, inputMode: 'skip' }),
      'hiddenSize (4)',
    ],
    ['integer dtype', () => new DeepGRU({ dtype: 'int32' as never }), "one of 'float32', 'float64' for dtype"],
    [
      'unknown precision',
      () => new DeepGRU({ precision: 'int8' as never }),
      "'bfloat16', 'float16', 'tf32' for precision",
    ],
    [
      'bfloat16 of float64',
      () => new DeepGRU({ dtype: 'float64', precision: 'bfloat16' }),
      `Expected 'float64', as dtype is float64, for precision but received "bfloat16"`,
    ],
    [
      'float64 products of float32',
      () => new DeepGRU({ precision: 'float64' }),
      `Expected 'float32', 'bfloat16', 'float16' or 'tf32', as dtype is float32, for precision but received "float64"`,
    ],
    ['no device', () => new DeepGRU({ device: 'cpu' as never }), 'a device for device but received "cpu"'],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(ArgumentError);
    expect(make).toThrow(message);
  });

  it('of inputs', () => {
    using rnn = new DeepLSTM({ inputSize: 3, hiddenSize: 4 });
    using open = new DeepLSTM({ hiddenSize: 4 });
    using first = new DeepLSTM({ inputSize: 3, hiddenSize: 4, batchFirst: true });
    scope(() => {
      const x = zeros([5, 2, 3]);
      const forward =
        (...[input, options]: Parameters<DeepLSTM['forward']>) =>
        () =>
          rnn.forward(input, options);
      expect(forward(zeros([5, 2, 4]))).toThrow(ShapeError);
      expect(forward(zeros([5, 2, 4]))).toThrow(
        'float [T,B,3] or int32 token ids [T,B] for x but received "float32 [5,2,4]"',
      );
      expect(() => first.forward(zeros([5, 3]))).toThrow('float [B,T,3] or int32 token ids [B,T]');
      expect(forward(zeros([5, 3]))).toThrow(ShapeError);
      expect(forward(zeros([0, 2, 3]))).toThrow('at least one step');
      expect(forward([1] as never)).toThrow('a tensor for x');
      expect(forward(zeros([5, 2, 3], { dtype: 'float64' }))).toThrow('float32');
      expect(() => open.forward(zeros([5, 2], { dtype: 'int32' }))).toThrow('for inputSize but received undefined');
      expect(() => open.forward(zeros([5, 2, 3], { dtype: 'float64' }))).toThrow('float32 for the dtype of x');
      expect(open.isBuilt).toBe(false);
      expect(forward(x, { length: [1] } as never)).toThrow("did you mean 'lengths'?");
      expect(forward(x, { lengths: [5] })).toThrow(ShapeError);
      expect(forward(x, { lengths: [5, 6] })).toThrow('from 0 to 5 for lengths but received 6');
      expect(forward(x, { lengths: [5, 0.5] })).toThrow(ArgumentError);
      expect(forward(x, { lengths: 'ab' as never })).toThrow(ArgumentError);
      expect(forward(x, { state: { h: zeros([1, 2, 4]) } })).toThrow('a tensor for state.c but received undefined');
      expect(forward(x, { state: { h: zeros([2, 2, 4]), c: zeros([1, 2, 4]) } })).toThrow('shape [1, 2, 4] for h0');
      expect(forward(x, { state: { h: zeros([1, 2, 4]), c: zeros([1, 3, 4]) } })).toThrow('shape [1, 2, 4] for c0');
      expect(forward(x, { state: null as never })).toThrow(ArgumentError);
      expect(() => rnn.zeroState(0)).toThrow(ArgumentError);
      expect(() => detachState({} as never)).toThrow('a state { h, c } for state');
    });
    using gru = new DeepGRU({ inputSize: 3, hiddenSize: 4 });
    scope(() => {
      const state = { h: zeros([1, 2, 4]), c: zeros([1, 2, 4]) };
      expect(() => gru.forward(zeros([5, 2, 3]), { state })).toThrow(ArgumentError);
    });
  });

  it('of freed tensors and other devices', async () => {
    using rnn = new DeepGRU({ inputSize: 3, hiddenSize: 4 });
    const freed = zeros([5, 2, 3]);
    freed.dispose();
    expect(() => rnn.forward(freed)).toThrow(FreedError);
    using other = device('cpu', { threads: 1 });
    using elsewhere = zeros([5, 2, 3], { device: other });
    expect(() => rnn.forward(elsewhere)).toThrow('same device');
    const closed = device('cpu', { threads: 1 });
    const lost = new DeepGRU({ inputSize: 3, hiddenSize: 4, device: closed });
    closed.close();
    expect(() => scope(() => lost.forward(zeros([5, 2, 3])))).toThrow(Error);
    expect(() => new DeepGRU({ device: closed })).toThrow(DeviceError);
    lost.dispose();
  });

  it('of token ids is reported when results are read', async () => {
    const apart = device('cpu', { threads: 1 });
    const rnn = new DeepGRU({ inputSize: 3, hiddenSize: 4, device: apart });
    const { output } = rnn.forward(tensor([[0, 3]], { dtype: 'int32', device: apart }));
    await expect(output.data()).rejects.toThrow(DeviceError);
    apart.clearError();
    rnn.initialize(constant(0));
    expect((await rnn.stateDict()).get('weight_ih_l0')!.data.every((value) => value === 0)).toBe(true);
    apart.close();
  });
});
