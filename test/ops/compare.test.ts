import { describe, expect, it } from 'vitest';
import { cast, equal, greater, greaterEqual, less, lessEqual, notEqual, tensor, where } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { gradcheck, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

const ROWS = [
  ['equal', equal, [0, 1, 0, 0]],
  ['notEqual', notEqual, [1, 0, 1, 1]],
  ['less', less, [1, 0, 0, 0]],
  ['lessEqual', lessEqual, [1, 1, 0, 0]],
  ['greater', greater, [0, 0, 1, 0]],
  ['greaterEqual', greaterEqual, [0, 1, 1, 0]],
] as const;

describe.each(ROWS)('%s', (_, compare, expected) => {
  it('gives int32 zeros and ones, NaN being neither less, equal nor greater', async () => {
    const [both, number, integers] = scope(() => {
      const x = tensor([1, 2, 3, NaN]);
      const y = compare(x, tensor([2, 2, 2, NaN]));
      expect([y.dtype, y.requiresGrad]).toEqual(['int32', false]);
      return [y.data(), compare(x, 2).data(), compare(tensor(Int32Array.of(1, 2, 3)), 2).data()];
    });
    expect(await both).toEqual(Int32Array.from(expected));
    expect(await number).toEqual(Int32Array.from(expected));
    expect(await integers).toEqual(Int32Array.from(expected.slice(0, 3)));
  });
});

describe('where', () => {
  it('chooses with broadcasting of all three', async () => {
    const result = scope(() => where(tensor(Int32Array.of(1, 0, 2)), tensor([[1], [2]]), tensor([10, 20, 30])).array());
    expect(await result).toEqual([
      [1, 20, 1],
      [2, 20, 2],
    ]);
  });

  it('sends gradients to what was taken', async () => {
    const condition = () => tensor(Int32Array.of(1, 0, 1));
    await gradcheck((a, b) => where(condition(), a, b), values([2, 1]), values([3], { seed: 2 }));
    await gradcheck((a) => [where(condition(), a, 3), where(condition(), 3, a)], values([3]));
  });

  it('does not let NaN of the other side through', async () => {
    const grad = scope(() => {
      const x = tensor([0, 4], { requiresGrad: true });
      backward(where(x.greater(0), x.mul(2), NaN).sum());
      return (x.grad as Tensor).data();
    });
    expect(await grad).toEqual(Float32Array.of(0, 2));
  });

  it('rejects conditions that are not int32', () => {
    scope(() => {
      expect(() => where(tensor([1]), tensor([1]), 0)).toThrow(
        'Expected an int32 tensor for condition but received "float32"',
      );
    });
  });
});

describe('cast', () => {
  it('converts values, cutting towards zero', async () => {
    const [integers, doubles] = scope(() => {
      const x = tensor([-1.7, 0.4, 2.9]);
      return [cast(x, 'int32').data(), cast(cast(x, 'int32'), 'float64').data()];
    });
    expect(await integers).toEqual(Int32Array.of(-1, 0, 2));
    expect(await doubles).toEqual(Float64Array.of(-1, 0, 2));
  });

  it('lets gradients through between floats', async () => {
    const grad = scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      backward(cast(cast(x, 'float64'), 'float64').square().sum());
      expect((x.grad as Tensor).dtype).toBe('float32');
      expect(cast(x, 'int32').requiresGrad).toBe(false);
      return (x.grad as Tensor).data();
    });
    expect(await grad).toEqual(Float32Array.of(2, 4));
  });

  it('rejects unknown dtypes', () => {
    scope(() => {
      expect(() => cast(tensor([1]), 'float16' as never)).toThrow(
        "Expected one of 'float32', 'float64', 'int32' for dtype but received \"float16\"",
      );
    });
  });
});
