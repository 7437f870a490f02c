/** Schedules: how an optimizer's learning rate changes from epoch to epoch, as in `torch.optim.lr_scheduler`. */
import { checkChoice, checkInteger, checkNumber, checkOptions } from '../check.js';
import { expected } from '../errors.js';
import { Optimizer } from './optimizer.js';

/** Anything that changes an optimizer's rate when told that an epoch (or whatever it counts) is over. */
export interface Schedule {
  /**
   * Tells that one more epoch, or whatever is counted, is over.
   *
   * @param metric What is watched, such as the validation loss; only {@link ReduceLROnPlateau} needs it.
   */
  step(metric?: number): void;
}

/** A rate that depends on the number of steps and the rate at the start alone. */
abstract class ClosedFormSchedule implements Schedule {
  private steps = 0;
  private readonly base: number;

  constructor(private readonly optimizer: Optimizer) {
    this.base = checkOptimizer(optimizer).learningRate;
  }

  /** Counts one more step and sets the optimizer's learning rate. */
  step(): void {
    this.steps++;
    this.apply();
  }

  /** Sets the rate of the current step. */
  protected apply(): void {
    this.optimizer.learningRate = this.rate(this.base, this.steps);
  }

  protected abstract rate(base: number, steps: number): number;
}

/**
 * Multiplies the rate by `gamma` (0.1) every `stepSize` steps.
 *
 * @example
 * const schedule = new StepLR(optimizer, { stepSize: 30, gamma: 0.5 });
 */
export class StepLR extends ClosedFormSchedule {
  private readonly stepSize: number;
  private readonly gamma: number;

  /** @throws ArgumentError for wrong options. */
  constructor(optimizer: Optimizer, options: { stepSize: number; gamma?: number }) {
    super(optimizer);
    checkOptions(options, 'options', ['stepSize', 'gamma']);
    this.stepSize = checkInteger(options.stepSize, 'stepSize', { min: 1 });
    this.gamma = checkNumber(options.gamma ?? 0.1, 'gamma', { min: 0 });
  }

  protected override rate(base: number, steps: number): number {
    return base * this.gamma ** Math.floor(steps / this.stepSize);
  }
}

/**
 * Multiplies the rate by `gamma` every step.
 *
 * @example
 * const schedule = new ExponentialLR(optimizer, { gamma: 0.98 });
 */
export class ExponentialLR extends ClosedFormSchedule {
  private readonly gamma: number;

  /** @throws ArgumentError for wrong options. */
  constructor(optimizer: Optimizer, options: { gamma: number }) {
    super(optimizer);
    checkOptions(options, 'options', ['gamma']);
    this.gamma = checkNumber(options.gamma, 'gamma', { min: 0 });
  }

  protected override rate(base: number, steps: number): number {
    return base * this.gamma ** steps;
  }
}

/**
 * Lowers the rate along half a cosine to `minLearningRate` (0) in `steps` steps, then up again, and so on:
 * min + (base - min)(1 + cos(π t / steps)) / 2 (Loshchilov and Hutter, arXiv:1608.03983, without restarts).
 *
 * @example
 * const schedule = new CosineAnnealingLR(optimizer, { steps: 100 });
 */
export class CosineAnnealingLR extends ClosedFormSchedule {
  private readonly halfPeriod: number;
  private readonly minimum: number;

  /** @throws ArgumentError for wrong options. */
  constructor(optimizer: Optimizer, options: { steps: number; minLearningRate?: number }) {
    super(optimizer);
    checkOptions(options, 'options', ['steps', 'minLearningRate']);
    this.halfPeriod = checkInteger(options.steps, 'steps', { min: 1 });
    this.minimum = checkNumber(options.minLearningRate ?? 0, 'minLearningRate', { min: 0 });
  }

  protected override rate(base: number, steps: number): number {
    return this.minimum + ((base - this.minimum) * (1 + Math.cos((Math.PI * steps) / this.halfPeriod))) / 2;
  }
}

/**
 * Moves the rate from startFactor (1/3) to endFactor (1) times its base in `steps` (5) equal steps: a warm-up. The rate is
 * lowered at once, before the first step.
 *
 * @example
 * const schedule = new LinearLR(optimizer, { startFactor: 0.1, steps: 10 });
 */
export class LinearLR extends ClosedFormSchedule {
  private readonly startFactor: number;
  private readonly endFactor: number;
  private readonly total: number;

  /** @throws ArgumentError for wrong options. */
  constructor(optimizer: Optimizer, options: { startFactor?: number; endFactor?: number; steps?: number } = {}) {
    super(optimizer);
    checkOptions(options, 'options', ['startFactor', 'endFactor', 'steps']);
    this.startFactor = checkNumber(options.startFactor ?? 1 / 3, 'startFactor', { above: 0, max: 1 });
    this.endFactor = checkNumber(options.endFactor ?? 1, 'endFactor', { min: 0, max: 1 });
    this.total = checkInteger(options.steps ?? 5, 'steps', { min: 1 });
    this.apply();
  }

  protected override rate(base: number, steps: number): number {
    const progress = Math.min(1, steps / this.total);
    return base * (this.startFactor + (this.endFactor - this.startFactor) * progress);
  }
}

/** Options of {@link ReduceLROnPlateau}. */
export interface ReduceLROnPlateauOptions {
  /** Whether the metric should fall or rise. */
  mode?: 'min' | 'max';
  /** What the learning rate is multiplied with; default 0.1. */
  factor?: number;
  /** Steps without improvement that are tolerated. */
  patience?: number;
  /** Smaller changes are no improvement. */
  threshold?: number;
  /** Whether the threshold is a fraction of the best metric or a difference from it. */
  thresholdMode?: 'rel' | 'abs';
  /** Steps after a reduction in which nothing is counted. */
  cooldown?: number;
  /** The learning rate never falls below this; default 0. */
  minLearningRate?: number;
  /** Smaller reductions are left out. */
  epsilon?: number;
}

/**
 * Multiplies the rate by `factor` (0.1) when a metric has not improved for more than `patience` (10) steps.
 *
 * @example
 * const schedule = new ReduceLROnPlateau(optimizer, { patience: 2 });
 * schedule.step(3.1); // the validation loss
 */
export class ReduceLROnPlateau implements Schedule {
  private readonly options: Required<ReduceLROnPlateauOptions>;
  private best: number;
  private badSteps = 0;
  private cooling = 0;

  /** @throws ArgumentError for wrong options. */
  constructor(
    private readonly optimizer: Optimizer,
    options: ReduceLROnPlateauOptions = {},
  ) {
    checkOptimizer(optimizer);
    const names = [
      'mode',
      'factor',
      'patience',
      'threshold',
      'thresholdMode',
      'cooldown',
      'minLearningRate',
      'epsilon',
    ];
    checkOptions(options, 'options', names);
    this.options = {
      mode: checkChoice(options.mode ?? 'min', 'mode', ['min', 'max']),
      factor: checkNumber(options.factor ?? 0.1, 'factor', { min: 0, below: 1 }),
      patience: checkInteger(options.patience ?? 10, 'patience', { min: 0 }),
      threshold: checkNumber(options.threshold ?? 1e-4, 'threshold', { min: 0 }),
      thresholdMode: checkChoice(options.thresholdMode ?? 'rel', 'thresholdMode', ['rel', 'abs']),
      cooldown: checkInteger(options.cooldown ?? 0, 'cooldown', { min: 0 }),
      minLearningRate: checkNumber(options.minLearningRate ?? 0, 'minLearningRate', { min: 0 }),
      epsilon: checkNumber(options.epsilon ?? 1e-8, 'epsilon', { min: 0 }),
    };
    this.best = this.options.mode === 'min' ? Infinity : -Infinity;
  }

  /** @throws ArgumentError unless `metric` is a number; NaN counts as no improvement. */
  step(metric?: number): void {
    if (typeof metric !== 'number') throw expected('a number', 'metric', metric);
    if (this.improves(metric)) {
      this.best = metric;
      this.badSteps = 0;
    } else {
      this.badSteps++;
    }
    if (this.cooling > 0) {
      this.cooling--;
      this.badSteps = 0;
    }
    if (this.badSteps > this.options.patience) {
      this.reduce();
      this.cooling = this.options.cooldown;
      this.badSteps = 0;
    }
  }

  private improves(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.options;
    const sign = mode === 'min' ? -1 : 1;
    if (thresholdMode === 'rel') {
      const bound = this.best * (1 + sign * threshold);
      return mode === 'min' ? metric < bound : metric > bound;
    }
    return sign * metric > sign * this.best + threshold;
  }

  private reduce(): void {
    const { factor, minLearningRate, epsilon } = this.options;
    const before = this.optimizer.learningRate;
    const after = Math.max(before * factor, minLearningRate);
    if (before - after > epsilon) this.optimizer.learningRate = after;
  }
}

function checkOptimizer(value: Optimizer): Optimizer {
  if (!(value instanceof Optimizer)) throw expected('an optimizer', 'optimizer', value);
  return value;
}
