import { expect, it } from 'vitest';
import { dropout, ones, tensor } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { gradcheck, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

it('drops the right share and scales the rest', async () => {
  const result = await scope(() => dropout(ones([20_000]), 0.3, { seed: 1 }).data());
  const kept = Array.from(result).filter((value) => value !== 0);
  expect(new Set(kept)).toEqual(new Set([Math.fround(1 / 0.7)]));
  // Five standard deviations of a binomial share.
  expect(Math.abs(kept.length / 20_000 - 0.7)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / 20_000));
});

it('repeats with its seed and with manualSeed', async () => {
  const draw = (seed?: number) => scope(() => dropout(ones([64]), 0.5, { seed }).data());
  expect(await draw(7)).toEqual(await draw(7));
  expect(await draw(7)).not.toEqual(await draw(8));
  manualSeed(3);
  const [first, second] = [await draw(), await draw()];
  manualSeed(3);
  expect(await draw()).toEqual(first);
  expect(first).not.toEqual(second);
});

it('uses one mask forward and backward', async () => {
  await gradcheck((x) => dropout(x, 0.4, { seed: 5 }), values([3, 4]));
  const [y, grad] = scope(() => {
    const x = ones([50], { requiresGrad: true });
    const y = dropout(x, 0.5, { seed: 2 });
    backward(y.sum());
    return [y.data(), (x.grad as Tensor).data()];
  });
  expect(await grad).toEqual(await y);
});

it('passes values unchanged in evaluation and with p = 0, and nothing with p = 1', async () => {
  const results = scope(() => {
    const x = tensor([1, 2]);
    return [dropout(x, 0.9, { training: false }), dropout(x, 0), dropout(x, 1)].map((y) => y.data());
  });
  expect(await Promise.all(results)).toEqual([Float32Array.of(1, 2), Float32Array.of(1, 2), Float32Array.of(0, 0)]);
  await gradcheck((x) => dropout(x, 0.9, { training: false }), values([3]));
});

it('rejects what is no probability', () => {
  scope(() => {
    expect(() => dropout(tensor([1]), 1.5)).toThrow('Expected a finite number from 0 to 1 for p but received 1.5');
    expect(() => dropout(tensor([1]), NaN)).toThrow('for p but received NaN');
    expect(() => dropout(tensor([1]), 0.5, { seed: -1 })).toThrow(
      'Expected an integer at least 0 for seed but received -1',
    );
  });
});
