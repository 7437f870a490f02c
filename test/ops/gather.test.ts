import { describe, expect, it } from 'vitest';
import { embedding, gather, tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { gradcheck, leaf, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const cpu = expectNoLeaks();

const integers = (data: number[], shape: number[]) => tensor(Int32Array.from(data), { shape });

describe('gather', () => {
  it('picks along each axis', async () => {
    const [rows, columns] = scope(() => {
      const x = tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      return [gather(x, integers([1, 0, 1], [1, 3]), 0).array(), gather(x, integers([2, 2, 0, 1], [2, 2]), -1).array()];
    });
    expect(await rows).toEqual([[4, 2, 6]]);
    expect(await columns).toEqual([
      [3, 3],
      [4, 5],
    ]);
  });

  it('takes indices shorter than x along the other axes', async () => {
    const x = values([3, 4, 2]);
    const picked = scope(() => gather(leaf(x), integers([3, 0, 1], [1, 3, 1]), 1).data());
    expect(Array.from(await picked)).toEqual([3, 0, 1].map((row) => x.data[row * 2]));
  });

  it('has a gradient that adds up repeats', async () => {
    await gradcheck((x) => gather(x, integers([1, 1, 0, 1, 1, 1], [3, 2]), 0), values([2, 2]));
    await gradcheck((x) => [gather(x, integers([0, 0, 3], [1, 3, 1]), 1), x.square()], values([2, 4, 2]));
  });

  it('rejects what does not fit', () => {
    scope(() => {
      const x = tensor([[1, 2]]);
      expect(() => gather(x, tensor([[0]]), 1)).toThrow('Expected an int32 tensor for indices but received "float32"');
      expect(() => gather(x, integers([0], [1]), 1)).toThrow(
        'Expected 2 axes, no longer than x [1, 2] but for axis 1, for indices',
      );
      expect(() => gather(x, integers([0, 0], [2, 1]), 1)).toThrow('for indices but received [2, 1]');
    });
  });
});

describe('embedding', () => {
  it('takes rows for ids of any shape', async () => {
    const rows = scope(() => {
      const weight = tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      return [embedding(weight, integers([2, 0, 0, 1], [2, 2])).array(), embedding(weight, integers([1], [])).array()];
    });
    expect(await Promise.all(rows)).toEqual([
      [
        [
          [5, 6],
          [1, 2],
        ],
        [
          [1, 2],
          [3, 4],
        ],
      ],
      [3, 4],
    ]);
  });

  it('adds up the gradient of repeated ids, in place when there is one', async () => {
    await gradcheck((weight) => embedding(weight, integers([1, 1, 2, 1], [4])), values([4, 3]));
    const grad = scope(() => {
      const weight = tensor([[0], [0]], { requiresGrad: true });
      for (let i = 0; i < 2; i++) backward(embedding(weight, integers([1, 1], [2])).sum());
      return (weight.grad as Tensor).data();
    });
    expect(await grad).toEqual(Float32Array.of(0, 4));
  });

  it('names the operation when an id is out of range, and the device recovers', async () => {
    const failed = scope(() => embedding(tensor([[1], [2]]), integers([0, 2], [2])).data());
    await expect(failed).rejects.toThrow(/gather.*2/s);
    const later = scope(() => tensor([1]).data());
    await expect(later).rejects.toMatchObject({ name: 'DeviceError' });
    cpu.clearError();
    expect(await scope(() => embedding(tensor([[1], [2]]), integers([0, 1], [2])).data())).toEqual(
      Float32Array.of(1, 2),
    );
  });

  it('rejects tables that are none', () => {
    scope(() => {
      expect(() => embedding(tensor([1]), integers([0], [1]))).toThrow(
        'Expected two axes, [count, size], for weight but received [1]',
      );
      expect(() => embedding(tensor([[1]]), tensor([0]))).toThrow('Expected an int32 tensor for indices');
    });
  });
});
