/** Training: a loop over epochs and minibatches that reports as it goes. */
import { checkChoice, checkFunction, checkInteger, checkNumber, checkOptions } from '../check.js';
import type { SequenceBatch } from '../data/loaders.js';
import type { Device } from '../device.js';
import { DeepRnnError, expected } from '../errors.js';
import { graphed } from '../graphed.js';
import type { LanguageModel } from '../models/language-model.js';
import { Module } from '../nn/module.js';
import { clipGradNorm, clipGradValue } from '../optim/clip.js';
import { Optimizer } from '../optim/optimizer.js';
import type { Schedule } from '../optim/schedules.js';
import { backward, noGrad } from '../tape.js';
import type { TrainerCallbacks } from './callbacks.js';
import { type Epoch, type Evaluation, SteadyRate } from './metrics.js';
import { nextTokenLoss } from './next-token.js';
import { type BatchSource, type CarriedState, type LossResult, Pace, pass } from './pass.js';

/** Computes the loss of one minibatch; `state` is what the minibatch before it returned, undefined for a fresh start. */
export type LossFunction<M extends Module, B> = (model: M, batch: B, state: CarriedState) => LossResult;

/** Options of {@link Trainer}. */
export interface TrainerOptions<M extends Module, B> {
  /** What changes the parameters. */
  optimizer: Optimizer;
  /** Scales all gradients together so that their norm is at most this. Default: no limit. */
  clipNorm?: number;
  /** Limits each entry of the gradients to ±this. Default: no limit. */
  clipValue?: number;
  /** Changes the learning rate; a plateau is looked for in the validation loss, without validation in the loss. */
  schedule?: Schedule;
  /** When the schedule moves on. Default `'epoch'`. */
  scheduleEvery?: 'epoch' | 'step';
  /** Default: the mean cross-entropy of the next token, for a {@link LanguageModel}. */
  loss?: LossFunction<M, B>;
  /** What is told how training goes. */
  callbacks?: TrainerCallbacks | readonly TrainerCallbacks[];
}

/** Options of {@link Trainer.fit}. */
export interface FitOptions<B> {
  /** How many epochs to train; `Infinity`: until the iteration is left or aborted. */
  epochs: number;
  /** Evaluated after each epoch, without training on it. */
  validation?: BatchSource<B>;
  /** Ends the training after the steps that are queued, about 0.15 s of them or one; what was done is reported as a last, incomplete epoch. */
  signal?: AbortSignal;
}

/**
 * Trains a model by truncated back-propagation through time.
 *
 * The state is carried from minibatch to minibatch within an epoch (and detached between them) when the loader is
 * consecutive, and starts at zero for each epoch; otherwise for each minibatch. Losses are read while later steps
 * are already queued, so that the device does not wait and the event loop stays free. On a GPU, steps of equal shape are
 * replayed as CUDA graphs ({@link graphed}).
 *
 * Source: D2L, "Implementation of Recurrent Neural Networks from Scratch", `train_epoch_ch8`.
 *
 * @example
 * const { loader, vocabulary } = await timeMachine();
 * const model = new LanguageModel(new DeepLSTM({ layers: 2 }), { vocabulary });
 * const trainer = new Trainer(model, { optimizer: new SGD({ learningRate: 2 }), clipNorm: 1 });
 * for await (const epoch of trainer.fit(loader, { epochs: 500 })) console.log(epoch.number, epoch.perplexity);
 */
export class Trainer<M extends Module = LanguageModel, B = SequenceBatch> {
  /** What is trained. */
  readonly model: M;
  /** What changes its parameters. */
  readonly optimizer: Optimizer;
  private readonly loss: LossFunction<M, B>;
  private readonly options: TrainerOptions<M, B>;
  private readonly pace = new Pace();
  private readonly callbacks: readonly TrainerCallbacks[];

  /** @throws ArgumentError for a wrong option. */
  constructor(model: M, options: TrainerOptions<M, B>) {
    checkOptions(options, 'options', [
      'optimizer',
      'clipNorm',
      'clipValue',
      'schedule',
      'scheduleEvery',
      'loss',
      'callbacks',
    ]);
    const { optimizer, clipNorm, clipValue, scheduleEvery, loss, callbacks = [] } = options;
    if (!(model instanceof Module)) throw expected('a Module', 'model', model);
    if (!(optimizer instanceof Optimizer)) throw expected('an Optimizer', 'optimizer', optimizer);
    if (clipNorm !== undefined) checkNumber(clipNorm, 'clipNorm', { above: 0 });
    if (clipValue !== undefined) checkNumber(clipValue, 'clipValue', { above: 0 });
    if (scheduleEvery !== undefined) checkChoice(scheduleEvery, 'scheduleEvery', ['epoch', 'step']);
    if (loss !== undefined) checkFunction(loss, 'loss');
    this.model = model;
    this.optimizer = optimizer;
    this.options = options;
    this.loss = loss ?? (nextTokenLoss as unknown as LossFunction<M, B>);
    this.callbacks = Array.isArray(callbacks) ? callbacks : [callbacks as TrainerCallbacks];
    optimizer.attach(model);
  }

  /**
   * Trains for some epochs, handing out each as it is done; leaving the loop ends the training.
   *
   * @param loader Iterated over once an epoch.
   * @throws ArgumentError for a wrong option. While iterating: DeepRnnError naming epoch and step when a loss is not finite,
   *   and when an epoch has no minibatch; whatever the loader, the loss function or a callback throws.
   */
  fit(loader: BatchSource<B>, options: FitOptions<B>): AsyncGenerator<Epoch, void, undefined> {
    checkOptions(options, 'options', ['epochs', 'validation', 'signal']);
    checkLoader(loader, 'loader');
    if (options.epochs !== Number.POSITIVE_INFINITY) checkInteger(options.epochs, 'epochs', { min: 1 });
    if (options.validation !== undefined) checkLoader(options.validation, 'validation');
    if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
      throw expected('an AbortSignal', 'signal', options.signal);
    }
    return this.run(loader, options);
  }

  /**
   * The mean loss over a loader's minibatches, without training and in evaluation mode.
   *
   * @throws DeepRnnError when the loader yields no minibatch.
   */
  async evaluate(loader: BatchSource<B>, { signal }: { signal?: AbortSignal } = {}): Promise<Evaluation> {
    checkLoader(loader, 'loader');
    const { training } = this.model;
    this.model.eval();
    try {
      const step = (batch: B, state: CarriedState) =>
        graphed(() => noGrad(() => this.loss(this.model, batch, state)), this.device());
      const { mean } = await pass(loader, step, { signal, pace: new Pace() });
      signal?.throwIfAborted();
      if (mean.steps === 0) throw new DeepRnnError('The loader yielded no minibatch to evaluate on');
      return mean.result();
    } finally {
      this.model.train(training);
    }
  }

  private async *run(
    loader: BatchSource<B>,
    { epochs, validation, signal }: FitOptions<B>,
  ): AsyncGenerator<Epoch, void, undefined> {
    const rate = new SteadyRate();
    for (let number = 1; number <= epochs && !signal?.aborted; ++number) {
      const epoch = await this.epoch(loader, number, rate, signal);
      if (epoch === undefined) return;
      if (validation !== undefined && epoch.complete) {
        epoch.validation = await this.validate(validation, signal);
      }
      if (this.options.scheduleEvery !== 'step') {
        this.options.schedule?.step(epoch.validation?.loss ?? epoch.loss);
      }
      for (const { onEpoch } of this.callbacks) await onEpoch?.(epoch);
      yield epoch;
    }
  }

  /** Undefined when the signal came before the first step. */
  private async epoch(
    loader: BatchSource<B>,
    number: number,
    rate: SteadyRate,
    signal?: AbortSignal,
  ): Promise<Epoch | undefined> {
    const start = performance.now();
    const { learningRate } = this.optimizer;
    this.model.train();
    const { mean, complete } = await pass(
      loader,
      (batch, state) => graphed(() => this.step(batch, state), this.device()),
      {
        signal,
        pace: this.callbacks.some(({ onStep }) => onStep) ? undefined : this.pace,
        onLoss: (loss, tokens, step) => {
          if (!Number.isFinite(loss)) {
            throw new DeepRnnError(
              `The loss became ${loss} in epoch ${number}, step ${step}: try a smaller learning rate or clipNorm`,
            );
          }
          for (const { onStep } of this.callbacks) onStep?.({ epoch: number, number: step, loss, tokens });
        },
      },
    );
    if (mean.steps === 0) {
      if (!complete) return undefined;
      throw new DeepRnnError(
        `The loader yielded no minibatch in epoch ${number}; it must be iterable once an epoch, which a generator is not`,
      );
    }
    const seconds = (performance.now() - start) / 1000;
    const tokensPerSecond = mean.tokens / seconds;
    const steadyTokensPerSecond = rate.add(mean.tokens, seconds);
    return {
      number,
      ...mean.result(),
      complete,
      seconds,
      tokensPerSecond,
      steadyTokensPerSecond,
      learningRate,
    };
  }

  /** Where the steps compute. */
  private device(): Device | undefined {
    return this.model.parameters()[0]?.device;
  }

  private step(batch: B, state: CarriedState): LossResult {
    const { clipNorm, clipValue, schedule, scheduleEvery } = this.options;
    this.optimizer.zeroGrad();
    const result = this.loss(this.model, batch, state);
    backward(result.loss);
    if (clipValue !== undefined) clipGradValue(this.model, clipValue);
    if (clipNorm !== undefined) clipGradNorm(this.model, clipNorm);
    this.optimizer.step();
    if (scheduleEvery === 'step') schedule?.step();
    return result;
  }

  /** Undefined when the signal came in between. */
  private async validate(loader: BatchSource<B>, signal?: AbortSignal): Promise<Evaluation | undefined> {
    try {
      return await this.evaluate(loader, { signal });
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }
}

function checkLoader(loader: unknown, name: string): void {
  const source = loader as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined;
  if (typeof source?.[Symbol.iterator] !== 'function' && typeof source?.[Symbol.asyncIterator] !== 'function') {
    throw expected('an iterable of minibatches', name, loader);
  }
}
