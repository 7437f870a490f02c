import { describe, expect, it } from 'vitest';
import { arange, at, concat, reshape, slice, split, stack, tensor, transpose } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { gradcheck, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const cpu = expectNoLeaks();

const count = (shape: number[]) => reshape(arange(shape.reduce((a, b) => a * b, 1)), shape);

describe('reshape', () => {
  it('shares the buffer and works out one length', () => {
    scope(() => {
      const before = cpu.memory().buffers;
      const x = count([2, 6]);
      expect(reshape(x, [3, -1]).shape).toEqual([3, 4]);
      expect(reshape(x, [-1]).shape).toEqual([12]);
      expect(reshape(tensor(5), [1, -1, 1]).shape).toEqual([1, 1, 1]);
      expect(cpu.memory().buffers).toBe(before + 2);
    });
  });

  it('keeps the values and the gradient', async () => {
    expect(await scope(() => reshape(count([2, 3]), [3, 2]).array())).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    await gradcheck((x) => reshape(x, [3, -1]).mul(2), values([2, 3]));
  });

  it('rejects shapes of another size', () => {
    scope(() => {
      const x = count([2, 3]);
      expect(() => reshape(x, [4])).toThrow('Expected a shape of 6 elements for shape but received [4]');
      expect(() => reshape(x, [4, -1])).toThrow('Expected a shape of 6 elements for shape but received [4, -1]');
      expect(() => reshape(x, [-1, -1])).toThrow('for the other lengths of shape but received [-1]');
      expect(() => reshape(x, [0, -1])).toThrow('Expected a shape of 6 elements');
      expect(() => reshape(x, 6 as never)).toThrow(
        'Expected at most 8 integers from 0 to 2^31 - 1 for shape but received 6',
      );
      expect(() => reshape(x, [2, 1.5])).toThrow('for shape but received [2, 1.5]');
    });
  });
});

describe('transpose', () => {
  it('swaps the last two axes, or follows an order', async () => {
    const [swapped, rotated, same] = scope(() => {
      const x = count([2, 3, 2]);
      const y = transpose(x, [-1, 0, 1]);
      expect(y.shape).toEqual([2, 2, 3]);
      return [transpose(x).array(), y.array(), transpose(x, [0, 1, 2]).data()];
    });
    expect(await swapped).toEqual([
      [
        [0, 2, 4],
        [1, 3, 5],
      ],
      [
        [6, 8, 10],
        [7, 9, 11],
      ],
    ]);
    expect(await rotated).toEqual([
      [
        [0, 2, 4],
        [6, 8, 10],
      ],
      [
        [1, 3, 5],
        [7, 9, 11],
      ],
    ]);
    expect(await same).toEqual(Int32Array.from({ length: 12 }, (_, i) => i));
  });

  it.each([
    [[2, 3], undefined],
    [
      [2, 3, 4],
      [2, 0, 1],
    ],
    [
      [1, 3, 1],
      [1, 2, 0],
    ],
  ])('has the gradient of %j by %j', async (shape, axes) => {
    await gradcheck((x) => transpose(x, axes), values(shape));
  });

  it('rejects orders that miss an axis', () => {
    scope(() => {
      expect(() => transpose(count([2, 3]), [0, 0])).toThrow('Expected each axis once for axes but received [0, 0]');
      expect(() => transpose(count([2, 3]), [0])).toThrow('Expected an order of 2 axes for axes but received [0]');
      expect(() => transpose(count([2]))).toThrow(
        'Expected a tensor with at least two axes for x but received "1 axes"',
      );
    });
  });
});

describe('slice and at', () => {
  it('take parts, along the first axis without a copy', async () => {
    const parts = scope(() => {
      const x = count([3, 4]);
      const before = cpu.memory().buffers;
      const views = [slice(x, 0, 1), slice(x, 0, 0, -1), at(x, -1), slice(x, 0, 3)];
      expect(cpu.memory().buffers).toBe(before);
      return [...views, slice(x, 1, 1, 3), slice(x, -1, -1), at(at(x, 1), 2)].map((part) => part.array());
    });
    expect(await Promise.all(parts)).toEqual([
      [
        [4, 5, 6, 7],
        [8, 9, 10, 11],
      ],
      [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
      ],
      [8, 9, 10, 11],
      [],
      [
        [1, 2],
        [5, 6],
        [9, 10],
      ],
      [[3], [7], [11]],
      6,
    ]);
  });

  it('have gradients that add up where parts overlap', async () => {
    await gradcheck((x) => [slice(x, 0, 0, 2), slice(x, 1, 1), at(x, 1), at(at(x, 2), 0), x.mul(x)], values([3, 3]));
    await gradcheck(
      (x) => [slice(x, 1, 0, 2).square(), slice(x.square(), 1, 1, 3), at(x.exp(), 0), at(x.exp(), 0)],
      values([2, 3, 2]),
    );
  });

  it('shares what is written to the whole', async () => {
    const row = scope(() => {
      const x = count([2, 2]);
      const view = at(x, 1);
      x.copyFrom([9, 8, 7, 6]);
      return view.data();
    });
    expect(await row).toEqual(Int32Array.of(7, 6));
  });

  it('reject ranges outside', () => {
    scope(() => {
      const x = count([3, 4]);
      expect(() => at(x, 3)).toThrow('Expected an integer from -3 to 2 for index but received 3');
      expect(() => at(tensor(1), 0)).toThrow('Expected a tensor with at least one axis for x but received []');
      expect(() => slice(x, 0, 2, 1)).toThrow('Expected at least start (2) for end but received 1');
      expect(() => slice(x, 1, 0, 5)).toThrow('Expected an integer from -4 to 4 for end but received 5');
      expect(() => slice(x, 1, 0.5)).toThrow('for start but received 0.5');
    });
  });
});

describe('split', () => {
  it('cuts into consecutive parts', async () => {
    const parts = scope(() => split(count([2, 4]), [1, 0, 3], 1).map((part) => part.array()));
    expect(await Promise.all(parts)).toEqual([
      [[0], [4]],
      [[], []],
      [
        [1, 2, 3],
        [5, 6, 7],
      ],
    ]);
    await gradcheck((x) => split(x, [2, 1], 0), values([3, 2]));
  });

  it('rejects lengths that do not add up', () => {
    scope(() => {
      expect(() => split(count([4]), [1, 2])).toThrow(
        'Expected lengths that add up to 4 for lengths but received [1, 2]',
      );
      expect(() => split(count([4]), [5, -1])).toThrow('Expected an integer at least 0 for lengths but received -1');
    });
  });
});

describe('concat and stack', () => {
  it('join along an axis', async () => {
    const [rows, columns, stacked, last] = scope(() => {
      const [a, b] = [count([1, 2]), count([2, 2])];
      return [
        concat([a, b]).array(),
        concat([b, b, transpose(a)], 1).array(),
        stack([at(b, 0), at(b, 1)]).array(),
        stack([at(b, 0), at(b, 1)], -1).array(),
      ];
    });
    expect(await rows).toEqual([
      [0, 1],
      [0, 1],
      [2, 3],
    ]);
    expect(await columns).toEqual([
      [0, 1, 0, 1, 0],
      [2, 3, 2, 3, 1],
    ]);
    expect(await stacked).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(await last).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  it('have gradients, also for a tensor that comes twice', async () => {
    await gradcheck((a, b) => concat([a, b, a], 1), values([2, 1]), values([2, 3], { seed: 2 }));
    await gradcheck((a, b) => [stack([a, b], 1), stack([b, b])], values([2, 2]), values([2, 2], { seed: 2 }));
    await gradcheck((a) => [stack([a, a]), concat([stack([a]), stack([a])])], values([]));
  });

  it('skip inputs that need no gradient', async () => {
    const grad = scope(() => {
      const a = tensor([1, 2], { requiresGrad: true });
      backward(
        concat([tensor([5]), a])
          .mul(3)
          .sum(),
      );
      return (a.grad as Tensor).data();
    });
    expect(await grad).toEqual(Float32Array.of(3, 3));
  });

  it('reject what does not fit', () => {
    scope(() => {
      expect(() => concat([])).toThrow('Expected a list of at least one tensor for tensors but received []');
      expect(() => concat([count([2, 2]), count([3, 3])])).toThrow(
        'Expected shapes like [2, 2] but for axis 0 for tensors but received [3, 3]',
      );
      expect(() => stack([count([2]), count([3])])).toThrow('Expected shape [2] for tensors but received [3]');
      expect(() => stack([count([2]), tensor([1, 2])])).toThrow('Expected a tensor of int32 (use cast) for tensors');
    });
  });
});
