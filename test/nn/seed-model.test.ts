import { expect, it } from 'vitest';
import { loadFixture } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { SeedModel, trainSeedModel } from '../helpers/seed-model.js';

expectNoLeaks();

it('ten steps of the 2-layer LSTM follow the losses of PyTorch', async () => {
  using model = new SeedModel();
  expect(model.parameterCount).toBe(826_396);
  const wanted = Array.from(loadFixture('seed-model.safetensors').get('losses')!.data);
  const actual = await trainSeedModel();
  expect(actual).toHaveLength(wanted.length);
  wanted.forEach((loss, i) => {
    expect(Math.abs(actual[i] - loss) / loss, `step ${i}: ${actual[i]}, PyTorch ${loss}`).toBeLessThan(1e-5);
  });
});
