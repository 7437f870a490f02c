import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { FreedError } from '../src/errors.js';
import { arange, at, tensor, zeros } from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import { backward } from '../src/tape.js';
import { Tensor } from '../src/tensor.js';
import { expectNoLeaks } from './helpers/leaks.js';

const cpu = expectNoLeaks();

describe('a tensor', () => {
  it('knows its shape and size', () => {
    using x = zeros([2, 3], { dtype: 'float64' });
    expect([x.shape, x.rank, x.size, x.bytes, x.dtype, x.device]).toEqual([[2, 3], 2, 6, 48, 'float64', cpu]);
    expect(() => (x.shape as number[]).push(1)).toThrow();
  });

  it('reads as typed array, number and nested numbers', async () => {
    using x = tensor([[1, 2]]);
    expect(await x.data()).toEqual(Float32Array.of(1, 2));
    expect(await x.array()).toEqual([[1, 2]]);
    expect(() => x.item()).toThrow('Expected a tensor with one element for item() but received "tensor [1,2]"');
    using single = tensor([[5]]);
    expect(await single.item()).toBe(5);
  });

  it('reads what it was when asked, whatever is written later', async () => {
    using x = tensor([1, 2]);
    const before = x.data();
    x.copyFrom([3, 4]);
    expect(await before).toEqual(Float32Array.of(1, 2));
    expect(await x.data()).toEqual(Float32Array.of(3, 4));
  });

  it('is shown by name and shape', () => {
    using x = zeros([2, 3]);
    expect(`${x}`).toBe('tensor [2,3]');
    x.name = 'h0';
    expect(`${x}`).toBe('"h0" [2,3]');
  });
});

describe('copyFrom', () => {
  it('takes nested and flat numbers and other dtypes', async () => {
    using x = zeros([2, 2]);
    x.copyFrom([
      [1, 2],
      [3, 4],
    ]);
    expect(await x.data()).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(await x.copyFrom([5, 6, 7, 8]).data()).toEqual(Float32Array.of(5, 6, 7, 8));
    expect(await x.copyFrom(Float64Array.of(0.1, 0, 0, 0)).data()).toEqual(Float32Array.of(0.1, 0, 0, 0));
    using scalar = tensor(1);
    expect(await scalar.copyFrom(9).item()).toBe(9);
  });

  it('writes only its own part of a shared buffer', async () => {
    using x = arange(4);
    using whole = x.reshape([2, 2]);
    using row = at(whole, 1);
    row.copyFrom([8, 9]);
    expect(await x.data()).toEqual(Int32Array.of(0, 1, 8, 9));
  });

  it('rejects what does not fit and leaves the values alone', async () => {
    using x = tensor([1, 2], { dtype: 'int32' });
    expect(() => x.copyFrom([1])).toThrow('Expected 2 values for data but received 1');
    expect(() => x.copyFrom([[1, 2]])).toThrow('Expected numbers of shape [2] for data but received [1, 2]');
    expect(() => x.copyFrom([1, 0.5])).toThrow('Expected 32-bit integers for data but received 0.5');
    expect(() => x.copyFrom('12' as never)).toThrow('Expected numbers or a Float32Array');
    expect(() => x.copyFrom(new Float32Array(3))).toThrow('Expected 2 values for data but received 3');
    expect(await x.data()).toEqual(Int32Array.of(1, 2));
  });
});

describe('dispose', () => {
  it('frees the buffer once, and later use says so', () => {
    const before = cpu.memory().buffers;
    const x = zeros([3]);
    x.name = 'weights';
    x.dispose();
    x.dispose();
    expect(cpu.memory().buffers).toBe(before);
    expect(x.isDisposed).toBe(true);
    expect(() => x.add(1)).toThrow(FreedError);
    expect(() => x.add(1)).toThrow('"weights" [3] was disposed');
    expect(() => x.detach()).toThrow('was disposed');
    return expect(x.data()).rejects.toThrow('"weights" [3] was disposed');
  });

  it('leaves the buffer to other views', async () => {
    const x = tensor([1, 2, 3, 4]);
    const view = x.reshape([2, 2]);
    x.dispose();
    expect(await view.data()).toEqual(Float32Array.of(1, 2, 3, 4));
    view.dispose();
  });

  it('takes the gradient along', () => {
    using x = tensor([1, 2], { requiresGrad: true });
    scope(() => backward(x.sum()));
    expect((x.grad as Tensor).isDisposed).toBe(false);
    x.dispose();
    expect((x.grad as Tensor).isDisposed).toBe(true);
  });

  it('comes by itself for garbage outside of scopes', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const before = cpu.memory().buffers;
    (() => {
      for (let i = 0; i < 50; i++) zeros([10]).add(1);
    })();
    expect(cpu.memory().buffers).toBe(before + 100);
    for (let attempt = 0; attempt < 50 && cpu.memory().buffers > before; attempt++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(cpu.memory().buffers).toBe(before);
  });
});

describe('requiresGrad', () => {
  it('is for float leaves', () => {
    scope(() => {
      const x = tensor([1, 2]);
      x.requiresGrad = true;
      const y = x.mul(2);
      expect([y.requiresGrad, y.detach().requiresGrad]).toEqual([true, false]);
      expect(() => {
        y.requiresGrad = false;
      }).toThrow('Expected a leaf (use detach() on results of operations) for requiresGrad = false');
      expect(() => {
        arange(2).requiresGrad = true;
      }).toThrow('Expected a float tensor for requiresGrad but received "int32"');
      expect(() => {
        x.requiresGrad = 1 as never;
      }).toThrow('Expected true or false for requiresGrad but received 1');
    });
  });
});

describe('rebind', () => {
  it('makes a tensor a view of another buffer', async () => {
    const before = cpu.memory().buffers;
    const x = tensor([1, 2]);
    const block = tensor([5, 6, 7, 8]);
    x.rebind(block.storage.retain(), 1);
    block.dispose();
    expect(await x.data()).toEqual(Float32Array.of(6, 7));
    expect(cpu.memory().buffers).toBe(before + 1);
    x.dispose();
  });
});

it('is recognised as what it is', () => {
  using x = zeros([1]);
  expect(x).toBeInstanceOf(Tensor);
});
