import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../src/errors.js';
import { Module } from '../../src/nn/module.js';
import { type Parameter, parameter } from '../../src/nn/parameters.js';
import { tensor, zeros } from '../../src/ops/index.js';
import { clipGradNorm, clipGradValue } from '../../src/optim/clip.js';
import { scope } from '../../src/scope.js';
import { expectClose } from '../helpers/close.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

/** Parameters with the gradients [3, -4], [[12]] and, frozen, [100]. */
class Example extends Module {
  readonly first = scope(() => parameter(zeros([2], { dtype: 'float64' })));
  readonly second = scope(() => parameter(zeros([1, 1], { dtype: 'float64' })));
  readonly frozen = scope(() => parameter(zeros([1], { dtype: 'float64' })));

  constructor() {
    super();
    this.first.grad.copyFrom([3, -4]);
    this.second.grad.copyFrom([12]);
    this.frozen.grad.copyFrom([100]);
    this.frozen.requiresGrad = false;
  }

  forward(): void {}

  gradients(): Promise<number[][]> {
    return Promise.all(this.parameters().map(async ({ grad }) => Array.from(await grad.data())));
  }
}

describe('clipGradNorm', () => {
  it('scales gradients down to the norm and returns the norm before', async () => {
    using model = new Example();
    using norm = clipGradNorm(model, 6.5);
    expect(norm.shape).toEqual([]);
    expect(await norm.item()).toBe(13);
    expect(await model.gradients()).toEqual([[1.5, -2], [6], [100]]);
  });

  it('leaves smaller gradients alone', async () => {
    using model = new Example();
    using norm = clipGradNorm(model, 13);
    expect(await norm.item()).toBe(13);
    expect(await model.gradients()).toEqual([[3, -4], [12], [100]]);
  });

  it('leaves zero gradients alone', async () => {
    using model = new Example();
    model.zeroGrad();
    using norm = clipGradNorm(model, 1);
    expect(await norm.item()).toBe(0);
    expect(await model.gradients()).toEqual([[0, 0], [0], [0]]);
  });

  it('counts parameters of both dtypes', async () => {
    class Mixed extends Example {
      readonly single: Parameter = scope(() => parameter(tensor([0, 0])));
    }
    using model = new Mixed();
    model.single.grad.copyFrom([0, 84]);
    using norm = clipGradNorm(model, 8.5);
    expectClose(await norm.item(), 85, 'sum', 'float32');
    const [first, second, , single] = await model.gradients();
    expectClose([...first, ...second, ...single], [0.3, -0.4, 1.2, 0, 8.4], 'sum', 'float32');
  });
});

it('clipGradValue limits every gradient', async () => {
  using model = new Example();
  clipGradValue(model, 3.5);
  expect(await model.gradients()).toEqual([[3, -3.5], [3.5], [100]]);
});

it('misuse is answered', () => {
  using model = new Example();
  expect(() => clipGradNorm(model, 0)).toThrow(ArgumentError);
  expect(() => clipGradNorm(model, Number.NaN)).toThrow(ArgumentError);
  expect(() => clipGradValue(model, -1)).toThrow(ArgumentError);
  for (const parameter of model.parameters()) parameter.requiresGrad = false;
  expect(() => clipGradNorm(model, 1)).toThrow('a model with trainable parameters');
});
