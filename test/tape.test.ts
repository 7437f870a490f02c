import { describe, expect, it } from 'vitest';
import { FreedError, ShapeError } from '../src/errors.js';
import { add, at, dropout, linear, matmul, mul, ones, reshape, stack, tensor } from '../src/ops/index.js';
import { scope } from '../src/scope.js';
import { backward, isGradEnabled, noGrad, record } from '../src/tape.js';
import type { Tensor } from '../src/tensor.js';
import { gradcheck, values } from './helpers/gradcheck.js';
import { expectNoLeaks } from './helpers/leaks.js';

const cpu = expectNoLeaks();

const gradOf = (x: Tensor) => (x.grad as Tensor).data();

describe('backward', () => {
  it('fills the gradients of leaves and of nothing else', async () => {
    const grads = scope(() => {
      const x = tensor([1, 2, 3], { requiresGrad: true });
      const constant = tensor([4, 5, 6]);
      const y = x.mul(constant);
      backward(y.sum());
      expect([constant.grad, y.grad]).toEqual([null, null]);
      return gradOf(x);
    });
    expect(await grads).toEqual(Float32Array.of(4, 5, 6));
  });

  it('adds up over calls and over paths', async () => {
    const [grad, shared] = scope(() => {
      const x = tensor([2], { requiresGrad: true });
      backward(x.square());
      backward(x.mul(10));
      const z = tensor([3], { requiresGrad: true });
      const double = z.add(z);
      backward(mul(double, double).add(double).add(z));
      return [gradOf(x), gradOf(z)];
    });
    expect(await grad).toEqual(Float32Array.of(14));
    expect(await shared).toEqual(Float32Array.of(8 * 3 + 2 + 1));
  });

  it('takes a gradient for results of any shape, and leaves it as it was', async () => {
    const [grad, given] = scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      const gradient = tensor([10, 100]);
      backward(add(x.mul(2), x), { gradient });
      backward(x.detach().add(x), { gradient });
      return [gradOf(x), gradient.data()];
    });
    expect(await grad).toEqual(Float32Array.of(40, 400));
    expect(await given).toEqual(Float32Array.of(10, 100));
  });

  it('of a leaf itself is 1', async () => {
    const grad = scope(() => {
      const x = tensor(5, { requiresGrad: true });
      backward(x);
      backward(x);
      return gradOf(x);
    });
    expect(await grad).toEqual(Float32Array.of(2));
  });

  it('gives every leaf a gradient of its own, though operations pass the same one on', async () => {
    const grads = scope(() => {
      const leaves = [1, 2, 3].map((value) => tensor([value], { requiresGrad: true }));
      const [a, b, c] = leaves;
      backward(reshape(add(add(a, b), c), []));
      (a.grad as Tensor).copyFrom([50]);
      return leaves.map(gradOf);
    });
    expect(await Promise.all(grads)).toEqual([Float32Array.of(50), Float32Array.of(1), Float32Array.of(1)]);
  });

  it('walks graphs far deeper than the call stack', async () => {
    const grad = scope(() => {
      const x = tensor([1], { requiresGrad: true });
      let y = x;
      for (let i = 0; i < 20_000; i++) y = y.add(1);
      backward(y);
      return gradOf(x);
    });
    expect(await grad).toEqual(Float32Array.of(1));
  });

  it('accumulates in place where an input has many uses', async () => {
    await gradcheck(
      (w, x) => {
        let h = at(x, 0);
        for (let t = 1; t < 4; t++) h = matmul(h, w).add(at(x, t)).tanh();
        return [h, linear(h, w), w.mul(2)];
      },
      values([2, 2]),
      values([4, 3, 2], { seed: 2 }),
    );
    await gradcheck((x) => stack([x, x.add(x), at(stack([x, x]), 1)]), values([2]));
  });

  it('skips leaves that were frozen in the meantime', () => {
    scope(() => {
      const [a, b] = [tensor([1], { requiresGrad: true }), tensor([2], { requiresGrad: true })];
      const y = mul(a, b);
      a.requiresGrad = false;
      backward(y);
      expect([a.grad, b.grad !== null]).toEqual([null, true]);
    });
  });

  it('frees temporaries and saved tensors as it goes', () => {
    scope(() => {
      const x = ones([1000], { requiresGrad: true });
      let y = x;
      for (let i = 0; i < 10; i++) y = dropout(y, 0.5);
      const loss = y.sum();
      const before = cpu.memory();
      backward(loss);
      const after = cpu.memory();
      // Ten masks went, one gradient came.
      expect(after.buffers - before.buffers).toBe(1 - 10);
      // Never more than a few gradients at once: nothing beyond the peak of the masks and a constant.
      expect(after.peak).toBeLessThanOrEqual(before.peak + 4 * 4000);
    });
  });

  it('puts gradients where their leaves live', () => {
    using x = tensor([1, 2], { requiresGrad: true });
    scope(() => backward(x.sum()));
    expect((x.grad as Tensor).isDisposed).toBe(false);
    let inner: Tensor;
    scope(() => {
      inner = tensor([1], { requiresGrad: true });
      backward(inner.square());
    });
    expect((inner!.grad as Tensor).isDisposed).toBe(true);
  });

  it('starts a new gradient when the old one was disposed', async () => {
    using x = tensor([1], { requiresGrad: true });
    scope(() => backward(x.mul(3)));
    (x.grad as Tensor).dispose();
    scope(() => backward(x.mul(4)));
    expect(await gradOf(x)).toEqual(Float32Array.of(4));
  });
});

describe('retainGraph', () => {
  it('allows another backward with the same result', async () => {
    const grads = scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      const loss = dropout(x.exp(), 0.5, { seed: 1 }).sum();
      backward(loss, { retainGraph: true });
      const first = gradOf(x);
      x.grad = null;
      backward(loss);
      return [first, gradOf(x)];
    });
    expect(await grads[0]).toEqual(await grads[1]);
  });

  it('is needed for it', () => {
    scope(() => {
      const x = tensor([1], { requiresGrad: true });
      const y = x.exp();
      const loss = y.square();
      backward(loss);
      expect(() => backward(loss)).toThrow(
        'Expected a graph that is still there for backward but square was freed by an earlier backward; pass retainGraph: true to that one',
      );
      expect(() => backward(y.mul(2))).toThrow('but exp was freed');
    });
  });
});

describe('backward refuses', () => {
  it('what requires no gradient or has several elements', () => {
    scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      expect(() => backward(tensor([1]))).toThrow(
        'Expected a result of tensors that require gradients for loss but received "tensor [1]"',
      );
      expect(() => backward(x.mul(2))).toThrow(ShapeError);
      expect(() => backward(x.mul(2))).toThrow(
        'Expected one element (or the option gradient) for loss but received "tensor [2]"',
      );
      expect(() => backward(3 as never)).toThrow('Expected a tensor for loss but received 3');
      expect(() => backward(x.sum(), { retainGraf: true } as never)).toThrow("(did you mean 'retainGraph'?)");
      expect(() => backward(x.sum(), { retainGraph: 1 as never })).toThrow('Expected true or false for retainGraph');
    });
  });

  it('gradients that do not fit', () => {
    scope(() => {
      const y = tensor([1, 2], { requiresGrad: true }).mul(2);
      expect(() => backward(y, { gradient: tensor([1]) })).toThrow('Expected shape [2] for gradient but received [1]');
      expect(() => backward(y, { gradient: tensor(Float64Array.of(1, 2)) })).toThrow(
        'Expected float32 for gradient but received "float64"',
      );
      expect(() => backward(y, { gradient: [1, 2] as never })).toThrow(
        'Expected a tensor for gradient but received [1, 2]',
      );
    });
  });

  it('tensors freed since the forward pass, naming operation and tensor', () => {
    scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      const loss = scope(() => {
        const hidden = x.mul(2);
        hidden.name = 'hidden';
        return hidden.square().sum();
      });
      expect(() => backward(loss)).toThrow(FreedError);
    });
    scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      const factor = tensor([1, 2]);
      factor.name = 'factor';
      const loss = x.mul(factor).sum();
      factor.dispose();
      expect(() => backward(loss)).toThrow('backward of mul: "factor" [2] was disposed');
    });
    scope(() => {
      const loss = scope(() => tensor([1], { requiresGrad: true }).mul(2));
      expect(() => backward(loss)).toThrow('backward of mul: tensor [1] was freed when its scope ended; use keep()');
    });
  });

  it('but not what it does not need', async () => {
    const grad = scope(() => {
      const x = tensor([1, 2], { requiresGrad: true });
      const hidden = x.mul(3);
      const loss = hidden.add(1).sum();
      hidden.dispose();
      backward(loss);
      return gradOf(x);
    });
    expect(await grad).toEqual(Float32Array.of(3, 3));
  });
});

describe('noGrad', () => {
  it('records nothing inside, nested and after errors too', () => {
    scope(() => {
      const x = tensor([1], { requiresGrad: true });
      noGrad(() => {
        noGrad(() => expect(isGradEnabled()).toBe(false));
        expect(isGradEnabled()).toBe(false);
        expect(x.mul(2).requiresGrad).toBe(false);
      });
      expect(() =>
        noGrad(() => {
          throw new Error('mine');
        }),
      ).toThrow('mine');
      expect(isGradEnabled()).toBe(true);
      expect(x.mul(2).requiresGrad).toBe(true);
    });
  });

  it('disposes what was saved for a backward that will not come', () => {
    scope(() => {
      const x = ones([10], { requiresGrad: true });
      const before = cpu.memory().buffers;
      noGrad(() => dropout(x, 0.5));
      expect(cpu.memory().buffers).toBe(before + 1);
    });
  });

  it('rejects async functions but not reads', async () => {
    expect(() => noGrad(async () => {})).toThrow('Expected a synchronous function for noGrad');
    expect(await scope(() => noGrad(() => tensor([4]).item()))).toBe(4);
  });
});

describe('record', () => {
  it('lets anyone add an operation, whose mistakes are told', async () => {
    const cube = (x: Tensor): Tensor => {
      const y = noGrad(() => x.pow(3));
      record('cube', [x], [y], ([g]) => (g as Tensor).mul(x.square()).mul(3));
      return y;
    };
    await gradcheck(cube, values([3]));
    const wrong = (x: Tensor): Tensor => {
      const y = noGrad(() => x.sum());
      record('wrong', [x], [y], ([g]) => g);
      return y;
    };
    scope(() => {
      expect(() => backward(wrong(tensor([1, 2], { requiresGrad: true })))).toThrow(
        'Expected a gradient of shape [2] for tensor [2] but received []',
      );
    });
  });
});
