import { expect, it } from 'vitest';
import { layerNorm, tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, leaf, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

expectNoLeaks();

it('normalises rows to mean 0 and variance 1, then scales and shifts', async () => {
  const [rows, columns] = [3, 5];
  const [x, w, b] = [values([rows, columns]), values([columns], { seed: 2 }), values([columns], { seed: 3 })];
  const expected: number[] = [];
  for (let row = 0; row < rows; row++) {
    const part = Array.from(x.data.slice(row * columns, (row + 1) * columns));
    const mean = part.reduce((sum, value) => sum + value, 0) / columns;
    const variance = part.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns;
    expected.push(...part.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-3)) * w.data[i] + b.data[i]));
  }
  const y = scope(() => layerNorm(leaf(x), { weight: leaf(w), bias: leaf(b), epsilon: 1e-3 }).data());
  expectClose(await y, expected, 'product', 'float64');
});

it('has all gradients', async () => {
  await gradcheck((x) => layerNorm(x), values([2, 4]));
  const inputs = [values([2, 2, 3]), values([3], { seed: 2 }), values([3], { seed: 3 })];
  await gradcheck((x, weight, bias) => layerNorm(x, { weight, bias }), ...inputs);
});

it('rejects what does not fit', () => {
  scope(() => {
    expect(() => layerNorm(tensor([1, 2]), { weight: tensor([1]) })).toThrow(
      'Expected shape [2] for weight but received [1]',
    );
    expect(() => layerNorm(tensor(1))).toThrow('Expected at least one axis for x but received []');
    expect(() => layerNorm(tensor([1]), { epsilon: -1 })).toThrow('Expected a finite number at least 0 for epsilon');
  });
});
