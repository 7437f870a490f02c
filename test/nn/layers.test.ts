import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../src/errors.js';
import type { StateDict } from '../../src/io/safetensors.js';
import { GRUCell, LSTMCell, type RecurrentCell, RNNCell } from '../../src/nn/cells.js';
import { Dropout } from '../../src/nn/dropout.js';
import { Embedding } from '../../src/nn/embedding.js';
import { LayerNorm } from '../../src/nn/layer-norm.js';
import { Linear } from '../../src/nn/linear.js';
import type { Module } from '../../src/nn/module.js';
import { Sequential } from '../../src/nn/sequential.js';
import { add, mul, ones, randn, sum, tensor, zeros } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { loadFixture, under } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

const FIXTURE = loadFixture('layers.safetensors');
const float64 = { dtype: 'float64' } as const;

/** Outputs and all gradients of a module against the fixture of that name. */
async function compare(name: string, module: Module, call: (inputs: Tensor[]) => Tensor[]): Promise<void> {
  const wanted = under(FIXTURE, `${name}/`);
  module.loadStateDict(under(wanted, 'weights/'));
  const numbered = (state: StateDict, prefix: string) =>
    [...state].filter(([key]) => /^\d+$/.test(key.slice(prefix.length)));
  const reads = scope(() => {
    const inputs = numbered(wanted, 'input').map(([, { data, shape, dtype }]) =>
      tensor(data, { shape, requiresGrad: dtype !== 'int32' }),
    );
    const outputs = call(inputs);
    const terms = outputs.map((output, i) => {
      const { data, shape } = wanted.get(`doutput${i}`)!;
      return sum(mul(output, tensor(data, { shape })));
    });
    backward(terms.reduce((a, b) => add(a, b)));
    const gradients = [
      ...inputs.map((input, i): [string, Tensor | null] => [`grad/input${i}`, input.grad]),
      ...[...module.namedParameters()].map(([key, { grad }]): [string, Tensor] => [`grad/${key}`, grad]),
    ];
    return [
      ...outputs.map((output, i): [string, Promise<unknown>] => [`output${i}`, output.data()]),
      ...gradients.flatMap(([key, grad]): [string, Promise<unknown>][] => (grad ? [[key, grad.data()]] : [])),
    ];
  });
  const compared = await Promise.all(
    reads.map(async ([key, values]) => {
      expectClose(await values, wanted.get(key)!.data, 'recurrent', 'float64');
      return key;
    }),
  );
  const expected = [...wanted.keys()].filter((key) => key.startsWith('output') || key.startsWith('grad/'));
  expect(compared.sort()).toEqual(expected.sort());
  module.dispose();
}

const step = (cell: RecurrentCell) => (inputs: Tensor[]) => {
  const [x, h, c] = inputs;
  const next = cell.forward(x, c ? { h, c } : { h });
  return next.c ? [next.h, next.c] : [next.h];
};

describe('equals PyTorch, gradients included', () => {
  it('RNNCell', async () => {
    const cell = new RNNCell(5, 4, float64);
    await compare('rnn_tanh cell', cell, step(cell));
    const relu = new RNNCell(5, 4, { ...float64, nonlinearity: 'relu' });
    await compare('rnn_relu cell', relu, step(relu));
  });

  it('GRUCell', async () => {
    const cell = new GRUCell(5, 4, float64);
    await compare('gru cell', cell, step(cell));
  });

  it('LSTMCell', async () => {
    const cell = new LSTMCell(5, 4, float64);
    await compare('lstm cell', cell, step(cell));
  });

  it('Linear', async () => {
    const linear = new Linear({ inputs: 5, outputs: 4, ...float64 });
    await compare('linear', linear, ([x]) => [linear.forward(x)]);
    const bare = new Linear({ outputs: 4, bias: false, ...float64 });
    await compare('linear without bias', bare, ([x]) => [bare.forward(x)]);
  });

  it('Embedding', async () => {
    const embedding = new Embedding({ count: 6, size: 4, ...float64 });
    await compare('embedding', embedding, ([ids]) => [embedding.forward(ids)]);
  });

  it('LayerNorm', async () => {
    const norm = new LayerNorm(5, float64);
    await compare('layer norm', norm, ([x]) => [norm.forward(x)]);
  });
});

describe('cells', () => {
  it('start from a zero state', async () => {
    using cell = new LSTMCell(3, 2);
    const [given, implied] = await Promise.all(
      scope(() => {
        const x = ones([4, 3]);
        return [cell.forward(x, cell.zeroState(4)), cell.forward(x)].map(({ c }) => c!.data()) as never;
      }) as Promise<Float32Array>[],
    );
    expect(implied).toEqual(given);
  });

  it('answer misuse', () => {
    using cell = new GRUCell(3, 2);
    scope(() => {
      expect(() => cell.forward(zeros([3]))).toThrow(ShapeError);
      expect(() => cell.forward(zeros([4, 5]))).toThrow(ShapeError);
      expect(() => cell.forward(zeros([4, 3]), { h: zeros([4, 3]) })).toThrow(ShapeError);
      expect(() => cell.forward(zeros([4, 3]), { h: zeros([1, 4, 2]) })).toThrow('[B,H] for the shape of state.h');
      expect(() => cell.forward(zeros([4, 3]), {} as { h: Tensor })).toThrow('a tensor for state.h');
    });
    expect(() => new GRUCell(0, 2)).toThrow(ArgumentError);
    expect(() => new LSTMCell(2, 2, { nonlinearity: 'relu' } as object)).toThrow(ArgumentError);
  });
});

describe('Dropout', () => {
  it('zeroes a fraction p and scales the rest while training only', async () => {
    const dropout = new Dropout(0.3);
    manualSeed(1);
    const values = await scope(() => dropout.forward(ones([100, 100])).data());
    const zeroed = values.filter((value) => value === 0).length;
    // 10,000 draws: the deviation of the count is 46.
    expect(Math.abs(zeroed - 3000)).toBeLessThan(200);
    expectClose(
      values.filter((value) => value !== 0),
      new Array(10_000 - zeroed).fill(1 / 0.7),
      'elementwise',
    );
    manualSeed(1);
    expect(await scope(() => dropout.forward(ones([100, 100])).data())).toEqual(values);
    expect(await scope(() => dropout.forward(ones([100, 100])).data())).not.toEqual(values);
    dropout.eval();
    expect(await scope(() => dropout.forward(ones([3])).data())).toEqual(Float32Array.of(1, 1, 1));
  });

  it('answers misuse', () => {
    expect(() => new Dropout(1)).toThrow(ArgumentError);
    expect(() => new Dropout(Number.NaN)).toThrow(ArgumentError);
  });
});

describe('Sequential', () => {
  it('applies its layers in order and names them by position', async () => {
    using model = new Sequential(new Linear({ outputs: 3 }), new Dropout(0.5), new Linear({ inputs: 3, outputs: 2 }));
    model.eval();
    expect([...model.namedParameters().keys()]).toEqual(['2.weight', '2.bias']);
    const [first, , last] = model.layers;
    const [together, apart] = await Promise.all(
      scope(() => {
        const x = randn([4, 5]);
        return [model.forward(x).data(), last.forward(first.forward(x)).data()] as never;
      }) as Promise<Float32Array>[],
    );
    expect(together).toEqual(apart);
    expect([...model.namedParameters().keys()]).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
  });

  it('answers misuse', () => {
    expect(() => new Sequential({} as Linear)).toThrow('a module for layers[0]');
  });
});

describe('misuse of layers', () => {
  it('is answered', () => {
    using linear = new Linear({ outputs: 2 });
    scope(() => {
      expect(() => linear.forward(tensor([1, 2], { dtype: 'int32' }))).toThrow(ArgumentError);
      expect(linear.isBuilt).toBe(false);
      linear.forward(zeros([4, 3]));
      expect(() => linear.forward(zeros([4, 4]))).toThrow(ShapeError);
    });
    expect(() => new Linear({ outputs: -1 })).toThrow(ArgumentError);
    expect(() => new Linear({ outputs: 2, output: 3 } as never)).toThrow("did you mean 'outputs'?");
    expect(() => new Embedding({ count: 0, size: 3 })).toThrow(ArgumentError);
    expect(() => new LayerNorm(3, { epsilon: 0 })).toThrow(ArgumentError);
    expect(() => new Linear({ outputs: 2, dtype: 'int32' as never })).toThrow(ArgumentError);
    expect(() => new Linear({ outputs: 2, device: {} as never })).toThrow(ArgumentError);
  });
});
