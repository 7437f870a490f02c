import { describe, expect, it } from 'vitest';
import { tensor, zeros } from '../../src/ops/index.js';
import { type RnnConfig, type RnnHandle, type RnnInput, registerRnn, rnn } from '../../src/ops/rnn.js';
import { scope } from '../../src/scope.js';
import { backward, noGrad } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, leaf, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const cpu = expectNoLeaks();

const [T, B, I, H] = [3, 2, 2, 3];

const register = (config: Partial<RnnConfig> = {}): RnnHandle =>
  registerRnn({ cell: 'lstm', inputSize: I, hiddenSize: H, dtype: 'float64', ...config }, cpu);

/** The inputs of a stack: x, params, h0 and, for an LSTM, c0. */
function inputsOf(handle: RnnHandle) {
  const { cell, inputSize, hiddenSize } = handle.config;
  return [
    values([T, B, inputSize], { seed: 1 }),
    values([handle.count], { seed: 2, low: -0.5, high: 0.5 }),
    values([handle.stateRows, B, handle.outputSize], { seed: 3 }),
    ...(cell === 'lstm' ? [values([handle.stateRows, B, hiddenSize], { seed: 4 })] : []),
  ];
}

const CONFIGS: [string, Partial<RnnConfig>, Partial<RnnInput>][] = [
  ['tanh', { cell: 'rnnTanh' }, {}],
  ['relu', { cell: 'rnnRelu' }, {}],
  ['lstm', { cell: 'lstm' }, {}],
  ['gru', { cell: 'gru' }, {}],
  ['two layers, both directions', { layers: 2, bidirectional: true }, {}],
  ['lengths', { cell: 'gru', bidirectional: true }, { lengths: [1, 3] }],
  ['a length of zero', {}, { lengths: Int32Array.of(0, 2) }],
  ['a projection', { projSize: 2, layers: 2 }, {}],
  ['dropout', { layers: 2, dropout: 0.5 }, { training: true, seed: 3 }],
  ['skip input', { cell: 'gru', inputSize: H, inputMode: 'skip' }, {}],
  ['one bias', { bias: 'single' }, {}],
  ['no bias', { bias: 'none' }, {}],
  ['clipping', { clip: 0.3 }, {}],
];

describe('rnn', () => {
  it.each(CONFIGS)('has all gradients: %s', async (_, config, input) => {
    const handle = register(config);
    const operation = (x: Tensor, params: Tensor, h0: Tensor, c0?: Tensor) => {
      const { output, h, c } = rnn(handle, { x, params, h0, c0, ...input });
      return c === undefined ? [output, h] : [output, h, c];
    };
    await gradcheck(operation as (...inputs: Tensor[]) => Tensor[], ...inputsOf(handle));
  });

  it('has the gradient of parameters for token ids', async () => {
    const handle = register({ inputSize: 4 });
    const x = () => tensor(Int32Array.of(0, 3, 1, 1, 3, 2), { shape: [T, B] });
    await gradcheck((params) => rnn(handle, { x: x(), params }).output, inputsOf(handle)[1]);
  });

  it('has gradients when only some outputs are used, and none are wanted for some inputs', async () => {
    const handle = register({ layers: 2 });
    const [x, params, h0, c0] = inputsOf(handle);
    await gradcheck((p) => rnn(handle, { x: leaf(x, false), params: p }).h, params);
    await gradcheck((x_) => rnn(handle, { x: x_, params: leaf(params, false) }).c as Tensor, x);
    await gradcheck(
      (h, c) => rnn(handle, { x: leaf(x, false), params: leaf(params, false), h0: h, c0: c }).output,
      h0,
      c0,
    );
  });

  it('computes a relu layer on integers exactly', async () => {
    const handle = registerRnn({ cell: 'rnnRelu', inputSize: 1, hiddenSize: 1, bias: 'none' }, cpu);
    const data = new Float32Array(handle.count);
    const weights = { weight_ih: 2, weight_hh: 3 } as Record<string, number>;
    for (const { parameter, offset } of handle.entries) data[offset] = weights[parameter];
    const [output, h, dx] = scope(() => {
      const x = tensor([1, -4, 5], { shape: [3, 1, 1], requiresGrad: true });
      const result = rnn(handle, { x, params: tensor(data), h0: tensor([[[1]]]) });
      backward(result.output.sum());
      return [result.output.data(), result.h.data(), (x.grad as Tensor).data()];
    });
    // 2·1 + 3·1 = 5; 2·(-4) + 3·5 = 7; 2·5 + 3·7 = 31. dh = 1 + 3·(dh of the next step) = 13, 4, 1.
    expect(await output).toEqual(Float32Array.of(5, 7, 31));
    expect(await h).toEqual(Float32Array.of(31));
    expect(await dx).toEqual(Float32Array.of(26, 8, 2));
  });

  it('keeps nothing for a backward that will not come', () => {
    const handle = register();
    scope(() => {
      const [x, params] = inputsOf(handle).map((input) => leaf(input));
      const before = cpu.memory().buffers;
      noGrad(() => rnn(handle, { x, params }));
      expect(cpu.memory().buffers).toBe(before + 3);
      rnn(handle, { x, params });
      expect(cpu.memory().buffers).toBe(before + 3 + 4);
    });
  });

  it('repeats backward on a retained graph', async () => {
    const handle = register({ layers: 2 });
    const grads = scope(() => {
      const leaves = inputsOf(handle).map((input) => leaf(input));
      const [x, params, h0, c0] = leaves;
      const loss = rnn(handle, { x, params, h0, c0 }).output.square().sum();
      return [true, false].map((retainGraph) => {
        for (const each of leaves) each.grad = null;
        backward(loss, { retainGraph });
        return leaves.map(({ grad }) => (grad as Tensor).data());
      });
    });
    const [first, second] = await Promise.all(grads.map((list) => Promise.all(list)));
    expect(second).toEqual(first);
  });

  it('accumulates the gradient of parameters over calls', async () => {
    const handle = register();
    const [x, params] = inputsOf(handle);
    const [once, twice] = scope(() => {
      const p = leaf(params);
      const run = () => backward(rnn(handle, { x: leaf(x, false), params: p }).output.sum());
      run();
      const first = (p.grad as Tensor).data();
      run();
      return [first, (p.grad as Tensor).data()];
    });
    expectClose(
      await twice,
      Array.from(await once, (value) => 2 * value),
      'product',
      'float64',
    );
  });
});

describe('registerRnn', () => {
  it('gives one handle for equal configurations, with every parameter in its place', () => {
    const handle = register({ layers: 2, projSize: 2 });
    expect(register({ layers: 2, projSize: 2 })).toBe(handle);
    expect(register({ layers: 2 })).not.toBe(handle);
    const sizes = handle.entries.map(({ parameter, layer, rows, columns }) => [parameter, layer, rows, columns].join());
    expect(new Set(sizes)).toEqual(
      new Set([
        ...[`weight_ih,0,${4 * H},${I}`, `weight_hh,0,${4 * H},2`, `weight_hr,0,2,${H}`],
        ...[`weight_ih,1,${4 * H},2`, `weight_hh,1,${4 * H},2`, `weight_hr,1,2,${H}`],
        ...[0, 1].flatMap((layer) => ['bias_ih', 'bias_hh'].map((name) => `${name},${layer},${4 * H},1`)),
      ]),
    );
    const ends = handle.entries
      .map(({ offset, rows, columns }) => [offset, offset + rows * columns])
      .sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < ends.length; i++) expect(ends[i][0]).toBeGreaterThanOrEqual(ends[i - 1][1]);
    expect(ends[ends.length - 1][1]).toBeLessThanOrEqual(handle.count);
  });

  it.each([
    [{ cell: 'LSTM' as never }, "Expected one of 'rnnTanh', 'rnnRelu', 'lstm', 'gru' for cell but received \"LSTM\""],
    [{ hiddenSize: 0 }, 'Expected an integer from 1 to 2147483647 for hiddenSize but received 0'],
    [{ hiddenSize: NaN }, 'for hiddenSize but received NaN'],
    [{ layers: 1.5 }, 'for layers but received 1.5'],
    [{ dropout: 2 }, 'Expected a finite number from 0 to 1 for dropout but received 2'],
    [{ projSize: H }, `Expected an integer from 0 to ${H - 1} for projSize but received ${H}`],
    [{ cell: 'gru' as const, projSize: 1 }, 'Expected 0 unless the cell is lstm for projSize but received 1'],
    [{ cell: 'gru' as const, clip: 1 }, 'Expected 0 unless the cell is lstm for clip but received 1'],
    [
      { inputMode: 'skip' as const },
      `Expected hiddenSize (${H}), as inputMode is skip, for inputSize but received ${I}`,
    ],
    [{ hidden: 3 } as never, "(did you mean 'hiddenSize'?)"],
  ])('rejects %j', (config, message) => {
    expect(() => register(config)).toThrow(message);
  });
});

describe('rnn refuses', () => {
  const handle = register();
  const good = (): RnnInput => ({
    x: zeros([T, B, I], { dtype: 'float64' }),
    params: zeros([handle.count], { dtype: 'float64' }),
  });

  it.each<[string, () => Partial<RnnInput>, string]>([
    [
      'too few axes',
      () => ({ x: zeros([T, I], { dtype: 'float64' }) }),
      `Expected shape [T, B, ${I}] for x but received [${T}, ${I}]`,
    ],
    [
      'another dtype',
      () => ({ x: zeros([T, B, I]) }),
      'Expected a tensor of float64 (use cast) for x but received "float32"',
    ],
    [
      'ids with three axes',
      () => ({ x: zeros([1, 1, 1], { dtype: 'int32' }) }),
      'Expected token ids of shape [T, B] for x',
    ],
    [
      'no steps',
      () => ({ x: zeros([0, B, I], { dtype: 'float64' }) }),
      'Expected at least one step and one sequence for x',
    ],
    [
      'too few parameters',
      () => ({ params: zeros([1], { dtype: 'float64' }) }),
      `Expected shape [${handle.count}] for params`,
    ],
    [
      'a state of another batch',
      () => ({ h0: zeros([1, 5, H], { dtype: 'float64' }) }),
      `Expected shape [1, ${B}, ${H}] for h0`,
    ],
    [
      'a missing length',
      () => ({ lengths: [1] }),
      `Expected ${B} lengths, one for each sequence, for lengths but received 1`,
    ],
    ['a length beyond T', () => ({ lengths: [1, 4] }), `Expected an integer from 0 to ${T} for lengths but received 4`],
    [
      'lengths that are no array',
      () => ({ lengths: 3 as never }),
      'Expected an array of integers for lengths but received 3',
    ],
    ['no tensor', () => ({ x: [1] as never }), 'Expected a tensor for x but received [1]'],
    ['a wrong seed', () => ({ seed: -1 }), 'Expected an integer at least 0 for seed'],
  ])('%s', (_, wrong, message) => {
    scope(() => expect(() => rnn(handle, { ...good(), ...wrong() })).toThrow(message));
  });

  it('a cell state for other cells', () => {
    const gru = register({ cell: 'gru' });
    scope(() => {
      const params = zeros([gru.count], { dtype: 'float64' });
      const c0 = zeros([1, B, H], { dtype: 'float64' });
      expect(() => rnn(gru, { ...good(), params, c0 })).toThrow('Expected no state unless the cell is lstm for c0');
    });
  });

  it('ids out of range, on the device', async () => {
    const read = scope(() =>
      rnn(handle, { ...good(), x: tensor(Int32Array.of(0, I), { shape: [1, 2] }) }).output.data(),
    );
    await expect(read).rejects.toMatchObject({ name: 'DeviceError' });
    cpu.clearError();
  });
});
