/** Optimizers: rules that update the parameters of a model from their gradients, and schedules of their learning rates. */
import { checkInteger, checkNumber, checkOptions } from '../check.js';
import { ArgumentError, expected, ShapeError } from '../errors.js';
import type { HostTensor, StateDict } from '../io/safetensors.js';
import { DTYPE_CODE } from '../native/binding.js';
import { Module } from '../nn/module.js';
import { consolidate, contiguousRuns, type Parameter, type Run } from '../nn/parameters.js';
import { fill } from '../ops/primitives.js';
import { untracked } from '../scope.js';
import { Tensor } from '../tensor.js';

/** Parameters that follow other numbers than the rest; the first group that matches a parameter's name takes it. */
export interface ParameterGroup {
  /** Which parameters by their names. */
  parameters: RegExp | ((name: string) => boolean);
  /** In proportion to the optimizer's own rate when that changes. */
  learningRate?: number;
  /** Replaces the optimizer's weight decay. */
  weightDecay?: number;
}

/** Options of every optimizer. */
export interface OptimizerOptions {
  /** Factor of the update; default 0.001 for Adam and AdamW, 0.01 for RMSprop and Adagrad, none for SGD. */
  learningRate?: number;
  /** Adds weightDecay · parameter to the gradient (AdamW: shrinks the parameter instead). */
  weightDecay?: number;
  /** Parameters with settings of their own; the first group that matches counts. */
  groups?: ParameterGroup[];
}

export const OPTIMIZER_OPTIONS = ['learningRate', 'weightDecay', 'groups'] as const;

/** @internal A rule as the native kernel knows it; `beta1`, `beta2` and `flag` as in `OptimizerDesc` of native/core/desc.h. */
export interface Rule {
  kind: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  flag: boolean;
  /** PyTorch's names of state1, state2 and state3; null where the rule needs none. */
  slots: readonly (string | null)[];
  /** Value that the states start from; 0 when absent. */
  initialState?: number;
}

interface Group {
  matches(name: string): boolean;
  /** Rate relative to the optimizer's. */
  rateRatio: number;
  weightDecay: number;
}

/** The states of parameters that were found together, one buffer for each slot of the rule, laid out like the parameters. */
type Segment = (Tensor | null)[];

interface Item {
  name: string;
  group: Group;
  segment: Segment;
  stateOffset: number;
  steps: number;
}

/**
 * Base class of all optimizers. State lies in flat buffers parallel to the parameters', so that a step is one command for each
 * run of neighbours with the same numbers: one for a whole model without groups and frozen parameters.
 *
 * @example
 * const optimizer = new SGD({ learningRate: 0.1 }).attach(model);
 * optimizer.zeroGrad();
 * backward(nextTokenLoss(model, batch).loss);
 * optimizer.step();
 */
export abstract class Optimizer implements Disposable {
  private rate: number;
  private readonly groups: Group[];
  private readonly items = new Map<Parameter, Item>();
  private model?: Module;
  private readonly numbers = new Float64Array(6);
  private readonly buffers = new Float64Array(10);

  /** @internal */
  protected constructor(
    options: OptimizerOptions,
    private readonly rule: Rule,
  ) {
    const { learningRate, weightDecay = 0, groups = [] } = options;
    this.rate = checkNumber(learningRate, 'learningRate', { min: 0 });
    checkNumber(weightDecay, 'weightDecay', { min: 0 });
    if (!Array.isArray(groups)) throw expected('an array', 'groups', groups);
    this.groups = groups.map((group, index) => this.checkGroup(group, `groups[${index}]`, weightDecay));
    this.groups.push({ matches: () => true, rateRatio: 1, weightDecay });
  }

  /** The rate of all parameters whose group names none; setting it scales the others along. */
  get learningRate(): number {
    return this.rate;
  }

  set learningRate(value: number) {
    this.rate = checkNumber(value, 'learningRate', { min: 0 });
  }

  /**
   * Chooses the model to train, before the first step. Its parameters move into one flat buffer as soon as they exist.
   *
   * @throws ArgumentError when `model` is no module or another one is attached already.
   */
  attach(model: Module): this {
    if (!(model instanceof Module)) throw expected('a module', 'model', model);
    if (this.model && this.model !== model)
      throw new ArgumentError('Expected an optimizer without a model; attach once');
    this.model = model;
    return this;
  }

  /**
   * Updates all parameters that require gradients, in place.
   *
   * @throws ArgumentError when no model is attached or it has no parameters yet.
   */
  step(): void {
    const parameters = this.refresh();
    if (parameters.length === 0)
      throw new ArgumentError('Expected a model with parameters for step(); run it forward first');
    const trainable = parameters.filter((parameter) => parameter.requiresGrad);
    for (const run of contiguousRuns(trainable, (left, right) => this.joins(left, right))) this.update(run);
    for (const parameter of trainable) this.items.get(parameter)!.steps++;
  }

  /** Sets the gradients of the model to zero. */
  zeroGrad(): void {
    this.attached().zeroGrad();
  }

  /**
   * What a later run needs to go on: `learning_rate`, and for every parameter `step.<name>` and its states under PyTorch's
   * names, such as `exp_avg.<name>`.
   */
  async stateDict(): Promise<StateDict> {
    const state: StateDict = new Map();
    state.set('learning_rate', { dtype: 'float64', shape: [], data: Float64Array.of(this.rate) });
    const reads: Promise<void>[] = [];
    for (const parameter of this.refresh()) {
      const { name, segment, stateOffset, steps } = this.items.get(parameter)!;
      state.set(`step.${name}`, { dtype: 'int32', shape: [], data: Int32Array.of(steps) });
      segment.forEach((buffer, slot) => {
        if (!buffer) return;
        const { dtype, shape } = parameter;
        const view = untracked(() => Tensor.view(buffer, stateOffset, shape));
        const data = view.data();
        view.dispose();
        reads.push(
          data.then((values) => void state.set(`${this.rule.slots[slot]}.${name}`, { dtype, shape, data: values })),
        );
      });
    }
    await Promise.all(reads);
    return state;
  }

  /**
   * Goes on from a stored state.
   *
   * @throws ArgumentError when an entry is missing, ShapeError when it has another size.
   */
  loadStateDict(state: StateDict): void {
    const entry = (name: string, size: number): HostTensor => {
      const stored = state.get(name);
      if (!stored) throw new ArgumentError(`Missing from the state: ${name}`);
      if (stored.data.length !== size) throw expected(`${size} values`, `"${name}"`, stored.data, ShapeError);
      return stored;
    };
    const rate = checkNumber(entry('learning_rate', 1).data[0], 'learning_rate', { min: 0 });
    const writes: (() => void)[] = [];
    for (const parameter of this.refresh()) {
      const item = this.items.get(parameter)!;
      const steps = checkInteger(entry(`step.${item.name}`, 1).data[0], `step.${item.name}`, { min: 0 });
      writes.push(() => {
        item.steps = steps;
      });
      item.segment.forEach((buffer, slot) => {
        if (!buffer) return;
        const { data } = entry(`${this.rule.slots[slot]}.${item.name}`, parameter.size);
        writes.push(() => {
          const view = untracked(() => Tensor.view(buffer, item.stateOffset, parameter.shape));
          view.copyFrom(data);
          view.dispose();
        });
      });
    }
    for (const write of writes) write();
    this.rate = rate;
  }

  /** Frees the state; the model stays. */
  dispose(): void {
    for (const { segment } of this.items.values()) for (const state of segment) state?.dispose();
    this.items.clear();
    this.model = undefined;
  }

  /** The same as {@link Optimizer.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The model's parameters, in one store and with state. Parameters made since the last call get a segment of their own. */
  private refresh(): Parameter[] {
    const parameters = this.attached().parameters();
    if (parameters.some((parameter) => !this.items.has(parameter))) {
      const added = [...this.attached().namedParameters()].filter(([, parameter]) => !this.items.has(parameter));
      consolidate(parameters);
      for (const dtype of ['float32', 'float64'] as const) {
        const members = added.filter(([, parameter]) => parameter.dtype === dtype);
        if (members.length > 0) this.addSegment(members);
      }
    }
    return parameters;
  }

  private addSegment(members: [string, Parameter][]): void {
    const start = Math.min(...members.map(([, parameter]) => parameter.offset));
    const end = Math.max(...members.map(([, parameter]) => parameter.offset + parameter.size));
    const { dtype, device } = members[0][1];
    const segment: Segment = this.rule.slots.map((slot) => {
      if (slot === null) return null;
      const state = untracked(() => Tensor.allocate([end - start], dtype, device));
      return fill(state, this.rule.initialState ?? 0);
    });
    for (const [name, parameter] of members) {
      const group = this.groups.find((candidate) => candidate.matches(name))!;
      this.items.set(parameter, { name, group, segment, stateOffset: parameter.offset - start, steps: 0 });
    }
  }

  private joins(left: Parameter, right: Parameter): boolean {
    const a = this.items.get(left)!;
    const b = this.items.get(right)!;
    return a.group === b.group && a.segment === b.segment && a.steps === b.steps;
  }

  private update({ store, offset, count, first }: Run): void {
    const { kind, beta1, beta2, epsilon, flag } = this.rule;
    const { group, segment, stateOffset, steps } = this.items.get(first)!;
    this.numbers.set([this.rate * group.rateRatio, group.weightDecay, beta1, beta2, epsilon, steps + 1]);
    this.buffers.set([store.gradients.handle, offset, store.values.handle, offset]);
    segment.forEach((state, slot) => {
      this.buffers.set([state ? state.handle : 0, state ? stateOffset : 0], 4 + 2 * slot);
    });
    const { binding } = store.values.device;
    binding.optimizerStep(kind, DTYPE_CODE[first.dtype], count, this.numbers, flag, this.buffers);
  }

  private attached(): Module {
    if (!this.model) throw new ArgumentError('Expected an optimizer with a model; call attach(model) first');
    return this.model;
  }

  private checkGroup(group: ParameterGroup, name: string, defaultDecay: number): Group {
    checkOptions(group, name, ['parameters', 'learningRate', 'weightDecay']);
    const { parameters, learningRate, weightDecay } = group;
    const isPattern = parameters instanceof RegExp;
    if (!isPattern && typeof parameters !== 'function')
      throw expected('a RegExp or a function of the name', `${name}.parameters`, parameters);
    if (weightDecay !== undefined) checkNumber(weightDecay, `${name}.weightDecay`, { min: 0 });
    if (learningRate !== undefined) {
      checkNumber(learningRate, `${name}.learningRate`, { min: 0 });
      if (this.rate === 0) throw expected('a positive learningRate beside groups', 'learningRate', 0);
    }
    return {
      // A global or sticky pattern would remember where it matched last.
      matches: isPattern ? (key) => key.search(parameters) >= 0 : parameters,
      rateRatio: learningRate === undefined ? 1 : learningRate / this.rate,
      weightDecay: weightDecay ?? defaultDecay,
    };
  }
}
