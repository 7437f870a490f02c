import { describe, expect, it } from 'vitest';
import { ArgumentError, FreedError } from '../src/errors.js';
import { tensor, zeros } from '../src/ops/index.js';
import { keep, scope, untracked } from '../src/scope.js';
import { backward } from '../src/tape.js';
import type { Tensor } from '../src/tensor.js';
import { expectNoLeaks } from './helpers/leaks.js';

const cpu = expectNoLeaks();

describe('scope', () => {
  it('frees what was made inside and returns the rest', async () => {
    const before = cpu.memory().buffers;
    let inner: Tensor;
    const y = scope(() => {
      inner = tensor([1, 2]);
      return inner.mul(3);
    });
    expect(cpu.memory().buffers).toBe(before + 1);
    expect(await y.data()).toEqual(Float32Array.of(3, 6));
    expect(() => inner!.add(1)).toThrow(FreedError);
    expect(() => inner!.add(1)).toThrow('tensor [2] was freed when its scope ended; use keep()');
    y.dispose();
  });

  it('finds tensors in arrays, objects, Maps and Sets, also in circles', () => {
    const made = {} as Record<'a' | 'b' | 'c' | 'd' | 'e', Tensor>;
    const result = scope(() => {
      made.a = zeros([1]);
      made.b = zeros([1]);
      made.c = zeros([1]);
      made.d = zeros([1]);
      made.e = zeros([1]);
      const circular: { list: unknown[]; self?: unknown } = { list: [made.a, [made.b]] };
      circular.self = circular;
      return {
        circular,
        map: new Map<unknown, unknown>([['c', { deep: made.c }]]),
        set: new Set([made.d]),
        none: null,
        text: 'x',
      };
    });
    expect([made.a, made.b, made.c, made.d, made.e].map((x) => x.isDisposed)).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
    expect(result.map.size).toBe(1);
    for (const x of [made.a, made.b, made.c, made.d]) x.dispose();
  });

  it('does not look into instances of classes', () => {
    class Holder {
      constructor(readonly x: Tensor) {}
    }
    expect(scope(() => new Holder(zeros([1]))).x.isDisposed).toBe(true);
  });

  it('hands results to the scope around, which frees them in turn', () => {
    const before = cpu.memory().buffers;
    let y: Tensor;
    scope(() => {
      y = scope(() => zeros([2]).add(1));
      expect(y.isDisposed).toBe(false);
      expect(cpu.memory().buffers).toBe(before + 1);
    });
    expect(y!.isDisposed).toBe(true);
  });

  it('leaves tensors from outside alone', () => {
    using x = zeros([2]);
    expect(scope(() => x)).toBe(x);
    scope(() => {
      x.add(1);
    });
    expect(x.isDisposed).toBe(false);
  });

  it('frees everything when its body throws, kept tensors excepted', () => {
    const before = cpu.memory().buffers;
    let kept: Tensor;
    expect(() =>
      scope(() => {
        kept = keep(zeros([1]));
        zeros([2]);
        scope(() => {
          zeros([3]);
          throw new RangeError('mine');
        });
      }),
    ).toThrow(new RangeError('mine'));
    expect(cpu.memory().buffers).toBe(before + 1);
    kept!.dispose();
    // The scopes around are as before: a tensor made now belongs to none.
    using x = zeros([1]);
    expect(x.currentOwner).toBe(null);
  });

  it('lets tensors be disposed early', () => {
    scope(() => {
      const x = zeros([2]);
      x.dispose();
      using y = zeros([3]);
      expect([x.isDisposed, y.isDisposed]).toEqual([true, false]);
    });
  });

  it('rejects what is no function', () => {
    expect(() => scope(3 as never)).toThrow('Expected a function for scope but received 3');
  });
});

describe('promises from a scope', () => {
  it('are fine when they are reads, which come before the frees', async () => {
    const reads = [
      scope(() => tensor([7]).mul(6).item()),
      scope(() => tensor([1]).data()),
      scope(() => tensor([[2]]).array()),
    ];
    expect(await Promise.all(reads)).toEqual([42, Float32Array.of(1), [[2]]]);
  });

  it('are rejected when a callback is async, after freeing', async () => {
    const before = cpu.memory().buffers;
    let late: Tensor;
    let done: () => void;
    const finished = new Promise<void>((resolve) => {
      done = resolve;
    });
    expect(() =>
      scope(async () => {
        const x = zeros([4]);
        await null;
        try {
          late = x.add(1);
        } finally {
          done();
        }
      }),
    ).toThrow(ArgumentError);
    expect(cpu.memory().buffers).toBe(before);
    await finished;
    expect(late!).toBeUndefined();
    expect(() => scope(async () => {})).toThrow(
      'Expected a synchronous function for scope but received one that returns a promise; await outside of it',
    );
    expect(() =>
      scope(() =>
        tensor([1])
          .item()
          .then((x) => x + 1),
      ),
    ).toThrow('synchronous');
  });
});

describe('keep', () => {
  it('moves a tensor out by one scope', () => {
    const before = cpu.memory().buffers;
    let x: Tensor;
    let y: Tensor;
    scope(() => {
      scope(() => {
        x = keep(zeros([1]));
        y = keep(keep(zeros([2])));
        zeros([3]);
      });
      expect([x.isDisposed, y.isDisposed]).toEqual([false, false]);
      keep(y);
    });
    expect([x!.isDisposed, y!.isDisposed]).toEqual([true, false]);
    expect(cpu.memory().buffers).toBe(before + 1);
    y!.dispose();
  });

  it('takes the gradient along', async () => {
    const x = scope(() => {
      const leaf = keep(tensor([1, 2], { requiresGrad: true }));
      backward(leaf.square().sum());
      return leaf;
    });
    expect(await (x.grad as Tensor).data()).toEqual(Float32Array.of(2, 4));
    x.dispose();
    const grad = scope(() => {
      const leaf = tensor([3], { requiresGrad: true });
      backward(leaf.square().sum());
      return leaf.grad as Tensor;
    });
    expect(await grad.item()).toBe(6);
    grad.dispose();
  });

  it('does nothing outside of scopes and rejects others', () => {
    using x = zeros([1]);
    expect(keep(x)).toBe(x);
    expect(() => keep({} as never)).toThrow('Expected a tensor for keep but received an object');
    const freed = zeros([1]);
    freed.dispose();
    expect(() => keep(freed)).toThrow('was disposed');
  });
});

describe('untracked', () => {
  it('makes tensors that outlive all scopes', () => {
    let x: Tensor;
    scope(() => {
      scope(() => {
        x = untracked(() => zeros([1]));
        zeros([2]);
      });
    });
    expect(x!.isDisposed).toBe(false);
    x!.dispose();
  });
});
