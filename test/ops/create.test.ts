import { describe, expect, it } from 'vitest';
import { arange, eye, full, oneHot, ones, rand, randn, tensor, zeros, zerosLike } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const cpu = expectNoLeaks();

describe('tensor', () => {
  it('takes numbers, nested arrays and typed arrays', async () => {
    const made = scope(() =>
      [
        tensor(3),
        tensor([1, 2]),
        tensor([
          [
            [1, 2],
            [3, 4],
          ],
        ]),
        tensor(Float64Array.of(1, 2)),
        tensor(Int32Array.of(1, 2, 3, 4), { shape: [2, 2] }),
        tensor([1, 2], { dtype: 'int32' }),
        tensor(Float32Array.of(0.5), { dtype: 'float64' }),
        tensor([]),
        tensor([[], []]),
      ].map(async (x) => [x.shape, x.dtype, await x.array()] as const),
    );
    expect(await Promise.all(made)).toEqual([
      [[], 'float32', 3],
      [[2], 'float32', [1, 2]],
      [
        [1, 2, 2],
        'float32',
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      ],
      [[2], 'float64', [1, 2]],
      [
        [2, 2],
        'int32',
        [
          [1, 2],
          [3, 4],
        ],
      ],
      [[2], 'int32', [1, 2]],
      [[1], 'float64', [0.5]],
      [[0], 'float32', []],
      [[2, 0], 'float32', [[], []]],
    ]);
  });

  it('copies its data at once', async () => {
    const data = Float32Array.of(1, 2);
    const values = scope(() => {
      const x = tensor(data);
      data.fill(9);
      return x.data();
    });
    expect(await values).toEqual(Float32Array.of(1, 2));
  });

  it.each([
    [() => tensor([[1], [1, 2]]), 'Expected rows of 1 entries for data but received "a row of 2"'],
    [() => tensor([[1], 2]), 'Expected numbers nested 2 deep for data but received 2'],
    [() => tensor([1, [2]]), 'Expected numbers nested 1 deep for data but received [2]'],
    [() => tensor(['1' as never]), 'Expected numbers nested 1 deep for data but received "1"'],
    [() => tensor('abc' as never), 'Expected numbers or a Float32Array, Float64Array or Int32Array for data'],
    [() => tensor(null as never), 'for data but received null'],
    [() => tensor(new Uint8Array(2) as never), 'for data but received Uint8Array(2)'],
    [() => tensor([1, 2], { shape: [3] }), 'Expected 3 values for data but received 2'],
    [() => tensor([1.5], { dtype: 'int32' }), 'Expected 32-bit integers for data but received 1.5'],
    [() => tensor([2 ** 31], { dtype: 'int32' }), 'Expected 32-bit integers for data but received 2147483648'],
    [() => tensor([NaN], { dtype: 'int32' }), 'Expected 32-bit integers for data but received NaN'],
    [() => tensor([1], { dtype: 'int8' as never }), "Expected one of 'float32', 'float64', 'int32' for dtype"],
    [() => tensor([1], { dtype: 'int32', requiresGrad: true }), "Expected one of 'float32', 'float64' for dtype"],
    [() => tensor([1], { Shape: [1] } as never), "(did you mean 'shape'?)"],
    [() => tensor([1], null as never), 'Expected an object of options for options but received null'],
    [() => tensor([1], { device: 'cpu' as never }), 'Expected a device for device but received "cpu"'],
    [() => tensor([[[[[[[[[1]]]]]]]]]), 'Expected numbers nested at most 8 deep for data'],
  ])('rejects wrong data and options: %s', (make, message) => {
    const before = cpu.memory().buffers;
    expect(make).toThrow(message);
    expect(cpu.memory().buffers).toBe(before);
  });

  it('rejects an array that contains itself', () => {
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    expect(() => tensor(cyclic as never)).toThrow('Expected numbers nested at most 8 deep');
  });
});

describe('constants', () => {
  it('fill shapes', async () => {
    const made = scope(() =>
      [
        zeros([2, 1]),
        ones([2], { dtype: 'int32' }),
        full([], -0.5, { dtype: 'float64' }),
        zerosLike(ones([3], { dtype: 'float64' })),
        arange(4),
        arange(2, { dtype: 'float32' }),
        arange(0),
        eye(2),
        zeros([0, 5]),
      ].map(async (x) => [x.dtype, await x.array()]),
    );
    expect(await Promise.all(made)).toEqual([
      ['float32', [[0], [0]]],
      ['int32', [1, 1]],
      ['float64', -0.5],
      ['float64', [0, 0, 0]],
      ['int32', [0, 1, 2, 3]],
      ['float32', [0, 1]],
      ['int32', []],
      [
        'float32',
        [
          [1, 0],
          [0, 1],
        ],
      ],
      ['float32', []],
    ]);
  });

  it.each([
    [() => zeros([-1]), 'Expected at most 8 integers from 0 to 2^31 - 1 for shape but received [-1]'],
    [() => zeros([2 ** 31]), 'for shape but received [2147483648]'],
    [() => zeros([NaN]), 'for shape but received [NaN]'],
    [() => zeros([2 ** 31 - 1, 2 ** 31 - 1]), 'Expected a tensor of at most'],
    [() => zeros([2 ** 30, 2 ** 30, 2 ** 30, 2 ** 30, 2 ** 30]), 'Expected a tensor of at most'],
    [() => zeros(new Array(9).fill(1)), 'for shape but received'],
    [() => zeros(3 as never), 'for shape but received 3'],
    [() => full([1], 'x' as never), 'Expected a tensor or a number for value but received "x"'],
    [() => full([1], 0.5, { dtype: 'int32' }), 'Expected an integer from -2147483648 to 2147483647 for value'],
    [() => arange(-1), 'for count but received -1'],
    [() => rand([2], { seed: 0.5 }), 'Expected an integer at least 0 for seed but received 0.5'],
    [() => randn([2], { dtype: 'int32' as never }), "Expected one of 'float32', 'float64' for dtype"],
  ])('reject wrong shapes and values: %s', (make, message) => {
    expect(make).toThrow(message);
  });
});

describe('random numbers', () => {
  it('have the moments of their distributions', async () => {
    const count = 50_000;
    const [uniform, normal] = await Promise.all(
      scope(() => [rand([count], { seed: 1 }).data(), randn([count], { seed: 1, dtype: 'float64' }).data()]),
    );
    const moment = (data: ArrayLike<number>, power: number) =>
      Array.from(data).reduce((sum, value) => sum + value ** power, 0) / count;
    // Five standard errors each.
    const near = (value: number, expected: number, deviation: number) =>
      expect(Math.abs(value - expected)).toBeLessThan((5 * deviation) / Math.sqrt(count));
    near(moment(uniform, 1), 1 / 2, Math.sqrt(1 / 12));
    near(moment(uniform, 2), 1 / 3, Math.sqrt(4 / 45));
    near(moment(normal, 1), 0, 1);
    near(moment(normal, 2), 1, Math.sqrt(2));
    near(moment(normal, 4), 3, Math.sqrt(96));
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
  });

  it('repeat with a seed and with manualSeed', async () => {
    const draw = (seed?: number) => scope(() => randn([16], { seed }).data());
    expect(await draw(5)).toEqual(await draw(5));
    expect(await draw(5)).not.toEqual(await draw(2 ** 53 - 1));
    manualSeed(1);
    const first = await draw();
    expect(await draw()).not.toEqual(first);
    manualSeed(1);
    expect(await draw()).toEqual(first);
  });
});

describe('oneHot', () => {
  it('puts ones at the indices', async () => {
    const [rows, scalar, integers] = scope(() => [
      oneHot(tensor([[2, 0]], { dtype: 'int32' }), 3).array(),
      oneHot(tensor(1, { dtype: 'int32' }), 2).array(),
      oneHot(tensor([0], { dtype: 'int32' }), 2, { dtype: 'int32' }).data(),
    ]);
    expect(await rows).toEqual([
      [
        [0, 0, 1],
        [1, 0, 0],
      ],
    ]);
    expect(await scalar).toEqual([0, 1]);
    expect(await integers).toEqual(Int32Array.of(1, 0));
  });

  it('fails on the device for indices outside', async () => {
    await expect(scope(() => oneHot(tensor([3], { dtype: 'int32' }), 3).data())).rejects.toMatchObject({
      name: 'DeviceError',
    });
    cpu.clearError();
    expect(() => scope(() => oneHot(tensor([1]), 3))).toThrow(
      'Expected an int32 tensor for indices but received "float32"',
    );
  });
});
