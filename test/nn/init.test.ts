import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../../src/errors.js';
import { GRUCell, LSTMCell } from '../../src/nn/cells.js';
import { Embedding } from '../../src/nn/embedding.js';
import {
  constant,
  type Initializer,
  normal,
  orthogonal,
  uniform,
  xavierNormal,
  xavierUniform,
} from '../../src/nn/init.js';
import { LayerNorm } from '../../src/nn/layer-norm.js';
import { Linear } from '../../src/nn/linear.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { Module } from '../../src/nn/module.js';
import { Sequential } from '../../src/nn/sequential.js';
import { zeros } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

const filled = (initializer: Initializer, shape: number[]) =>
  scope(() => {
    const target = zeros(shape, { dtype: 'float64' });
    initializer.fill(target);
    return target.data();
  });

/** Checks mean, deviation and largest magnitude of a uniform draw by their standard errors (5 of them). */
function expectUniform(values: ArrayLike<number>, bound: number): void {
  const list = Array.from(values);
  const count = list.length;
  const mean = list.reduce((a, b) => a + b, 0) / count;
  const variance = list.reduce((a, b) => a + (b - mean) ** 2, 0) / count;
  expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3 * count));
  expect(Math.abs(variance / (bound ** 2 / 3) - 1)).toBeLessThan(5 * Math.sqrt(0.8 / count));
  expect(Math.max(...list.map(Math.abs))).toBeLessThanOrEqual(bound * (1 + 1e-6));
}

/** The same for a normal draw, with the fourth moment instead of the bound. */
function expectNormal(values: ArrayLike<number>, std: number, mean = 0): void {
  const list = Array.from(values);
  const count = list.length;
  const average = list.reduce((a, b) => a + b, 0) / count;
  const moment = (power: number) => list.reduce((a, b) => a + (b - average) ** power, 0) / count;
  expect(Math.abs(average - mean)).toBeLessThan((5 * std) / Math.sqrt(count));
  expect(Math.abs(moment(2) / std ** 2 - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  expect(Math.abs(moment(4) / std ** 4 - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
}

async function valuesOf(module: Module, name: string): Promise<ArrayLike<number>> {
  return module.namedParameters().get(name)!.data();
}

describe('initialisers', () => {
  it('draw from their distributions', async () => {
    manualSeed(1);
    expectNormal(await filled(normal(0.01), [200, 100]), 0.01);
    expectNormal(await filled(normal(2, -3), [20_000]), 2, -3);
    const shifted = await filled(uniform(1, 3), [20_000]);
    expectUniform(
      shifted.map((value) => value - 2),
      1,
    );
    expectUniform(await filled(xavierUniform(2), [150, 100]), 2 * Math.sqrt(6 / 250));
    expectNormal(await filled(xavierNormal(), [150, 100]), Math.sqrt(2 / 250));
    expect(await filled(constant(0.5), [3])).toEqual(Float64Array.of(0.5, 0.5, 0.5));
  });

  it.each([
    [30, 12],
    [12, 30],
  ])('orthogonal makes the short side of [%i, %i] orthonormal', async (rows, columns) => {
    manualSeed(2);
    const gain = 1.5;
    const values = await filled(orthogonal(gain), [rows, columns]);
    const element = (vector: number, i: number) =>
      rows <= columns ? values[vector * columns + i] : values[i * columns + vector];
    const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
    for (let a = 0; a < count; a++)
      for (let b = 0; b <= a; b++) {
        let product = 0;
        for (let i = 0; i < length; i++) product += element(a, i) * element(b, i);
        expect(product).toBeCloseTo(a === b ? gain ** 2 : 0, 12);
      }
  });

  it('follow manualSeed', async () => {
    manualSeed(3);
    const first = await filled(normal(1), [10]);
    expect(await filled(normal(1), [10])).not.toEqual(first);
    manualSeed(3);
    expect(await filled(normal(1), [10])).toEqual(first);
  });

  it('answer misuse', () => {
    expect(() => normal(-1)).toThrow(ArgumentError);
    expect(() => uniform(1, 0)).toThrow(ArgumentError);
    expect(() => xavierUniform(Number.NaN)).toThrow(ArgumentError);
    scope(() => {
      for (const initializer of [xavierUniform(), xavierNormal(), orthogonal()])
        expect(() => initializer.fill(zeros([3]))).toThrow(ShapeError);
    });
  });
});

describe('default values are those of PyTorch', () => {
  it('recurrent layers: U(±1/√H), biases too', async () => {
    manualSeed(4);
    using rnn = new DeepLSTM({ layers: 2, inputSize: 50, hiddenSize: 64, projSize: 16 });
    for (const name of ['weight_ih_l0', 'weight_hh_l0', 'weight_hr_l1', 'bias_ih_l0', 'bias_hh_l1'])
      expectUniform(await valuesOf(rnn, name), 1 / 8);
    using cell = new GRUCell(50, 64);
    for (const name of ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'])
      expectUniform(await valuesOf(cell, name), 1 / 8);
  });

  it('Linear: U(±1/√inputs), Embedding: N(0, 1), LayerNorm: one and zero', async () => {
    manualSeed(5);
    using linear = new Linear({ inputs: 100, outputs: 400 });
    expectUniform(await valuesOf(linear, 'weight'), 0.1);
    expectUniform(await valuesOf(linear, 'bias'), 0.1);
    using embedding = new Embedding({ count: 100, size: 100 });
    expectNormal(await valuesOf(embedding, 'weight'), 1);
    using norm = new LayerNorm(2);
    expect(await valuesOf(norm, 'weight')).toEqual(Float32Array.of(1, 1));
    expect(await valuesOf(norm, 'bias')).toEqual(Float32Array.of(0, 0));
  });
});

describe('initialize', () => {
  it('draws matrices, zeroes biases and leaves scales', async () => {
    manualSeed(6);
    using model = new Sequential(new Linear({ inputs: 100, outputs: 100 }), new LayerNorm(100));
    expect(model.initialize(normal(0.01))).toBe(model);
    expectNormal(await valuesOf(model, '0.weight'), 0.01);
    expect((await model.stateDict()).get('0.bias')!.data.every((value) => value === 0)).toBe(true);
    expect((await model.stateDict()).get('1.weight')!.data.every((value) => value === 1)).toBe(true);
  });

  it('is remembered by layers that do not know their sizes yet', async () => {
    manualSeed(7);
    using model = new Sequential(new Linear({ outputs: 100 })).initialize(normal(0.01), { bias: constant(3) });
    scope(() => {
      model.forward(zeros([2, 100]));
    });
    expectNormal(await valuesOf(model, '0.weight'), 0.01);
    expect(await valuesOf(model, '0.bias')).toEqual(new Float32Array(100).fill(3));
  });

  it('takes another initialiser for recurrent matrices, and a forget bias', async () => {
    manualSeed(8);
    const options = { recurrent: constant(0.25), forgetBias: 1 };
    using rnn = new DeepLSTM({ layers: 2, hiddenSize: 8, inputSize: 40 }).initialize(uniform(-0.5, 0.5), options);
    expectUniform(await valuesOf(rnn, 'weight_ih_l0'), 0.5);
    expect(await valuesOf(rnn, 'weight_hh_l1')).toEqual(new Float32Array(256).fill(0.25));
    const forget = Float32Array.from({ length: 32 }, (_, i) => (i >= 8 && i < 16 ? 1 : 0));
    expect(await valuesOf(rnn, 'bias_ih_l1')).toEqual(forget);
    expect(await valuesOf(rnn, 'bias_hh_l1')).toEqual(new Float32Array(32));
    using cell = new LSTMCell(3, 8).initialize(normal(), options);
    expect(await valuesOf(cell, 'bias_ih')).toEqual(forget);
  });

  it('answers misuse', () => {
    using rnn = new DeepLSTM({ inputSize: 3, hiddenSize: 2, bias: false });
    expect(() => rnn.initialize(0.01 as never)).toThrow('an initialiser such as normal(0.01) for matrix');
    expect(() => rnn.initialize(normal(), { bias: 0 as never })).toThrow('for bias but received 0');
    expect(() => rnn.initialize(normal(), { forgetBias: Number.NaN })).toThrow(ArgumentError);
    expect(() => rnn.initialize(normal(), { forgetBias: 1 })).toThrow('as this LSTM has no biases');
    expect(() => rnn.initialize(normal(), { forget: 1 } as never)).toThrow(ArgumentError);
  });
});
