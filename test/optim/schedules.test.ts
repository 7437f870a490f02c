import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../src/errors.js';
import {
  CosineAnnealingLR,
  ExponentialLR,
  LinearLR,
  ReduceLROnPlateau,
  type Schedule,
  StepLR,
} from '../../src/optim/schedules.js';
import { SGD } from '../../src/optim/sgd.js';
import { loadFixture } from '../helpers/fixtures.js';

const FIXTURE = loadFixture('schedules.safetensors');

const VARIANTS: Record<string, (optimizer: SGD) => Schedule> = {
  step: (optimizer) => new StepLR(optimizer, { stepSize: 5, gamma: 0.3 }),
  exponential: (optimizer) => new ExponentialLR(optimizer, { gamma: 0.9 }),
  cosine: (optimizer) => new CosineAnnealingLR(optimizer, { steps: 10, minLearningRate: 0.05 }),
  linear: (optimizer) => new LinearLR(optimizer, { startFactor: 0.2, endFactor: 1, steps: 8 }),
  'linear default': (optimizer) => new LinearLR(optimizer),
  plateau: (optimizer) => new ReduceLROnPlateau(optimizer, { factor: 0.5, patience: 2 }),
  'plateau max': (optimizer) =>
    new ReduceLROnPlateau(optimizer, {
      mode: 'max',
      factor: 0.5,
      patience: 1,
      threshold: 0.2,
      thresholdMode: 'abs',
      cooldown: 2,
      minLearningRate: 0.05,
    }),
};

describe('schedules give the rates of PyTorch', () => {
  it.each(Object.entries(VARIANTS))('%s', (name, make) => {
    const optimizer = new SGD({ learningRate: 0.5 });
    const schedule = make(optimizer);
    const rates = [optimizer.learningRate];
    for (const metric of FIXTURE.get('metrics')!.data) {
      schedule.step(metric);
      rates.push(optimizer.learningRate);
    }
    const wanted = FIXTURE.get(name)!.data;
    expect(rates).toHaveLength(wanted.length);
    rates.forEach((rate, step) => {
      expect(Math.abs(rate - wanted[step]), `step ${step}`).toBeLessThan(1e-14);
    });
  });
});

it('misuse is answered', () => {
  const optimizer = new SGD({ learningRate: 0.5 });
  expect(() => new StepLR({} as SGD, { stepSize: 1 })).toThrow('an optimizer for optimizer');
  expect(() => new StepLR(optimizer, { stepSize: 0 })).toThrow(ArgumentError);
  expect(() => new ExponentialLR(optimizer, { gamma: Number.NaN })).toThrow(ArgumentError);
  expect(() => new CosineAnnealingLR(optimizer, { steps: 1.5 })).toThrow(ArgumentError);
  expect(() => new LinearLR(optimizer, { startFactor: 0 })).toThrow(ArgumentError);
  expect(() => new ReduceLROnPlateau(optimizer, { factor: 1 })).toThrow(ArgumentError);
  expect(() => new ReduceLROnPlateau(optimizer).step()).toThrow('a number for metric');
  expect(optimizer.learningRate).toBe(0.5);
});
