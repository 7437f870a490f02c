/** Modules: the parts a model is built of, and what can be asked of every one of them. */
import { checkBoolean, checkNumber, checkOptions } from '../check.js';
import { checkDevice, type Device, defaultDevice } from '../device.js';
import { checkFloatDType, dtypeOf, type FloatDType } from '../dtype.js';
import { ArgumentError, expected, ShapeError } from '../errors.js';
import type { HostTensor, StateDict } from '../io/safetensors.js';
import { fill } from '../ops/primitives.js';
import { scope } from '../scope.js';
import { constant, type Initializer } from './init.js';
import { contiguousRuns, gradientsOf, Parameter } from './parameters.js';

/** Options that all modules with parameters share. */
export interface ModuleOptions {
  /** Where the parameters live; the default device when absent. */
  device?: Device;
  /** Type of the parameters; default float32. */
  dtype?: FloatDType;
}

/** Initialisers beside the one for matrices. */
export interface InitializationOptions {
  /** For biases; zeros when absent. */
  bias?: Initializer;
  /** For the recurrent matrices `weight_hh`; the general one when absent. */
  recurrent?: Initializer;
  /** What the two biases of each LSTM forget gate add up to (1 in Jozefowicz et al., ICML 2015); left alone when absent. */
  forgetBias?: number;
}

/** @internal What `initialize` asked for, remembered by modules that don't know their sizes yet. */
export interface Initialization {
  matrix: Initializer;
  bias: Initializer;
  recurrent: Initializer;
  forgetBias?: number;
}

/** @internal The shape of a stored tensor by its name inside one module. */
export type ShapeLookup = (name: string) => readonly number[] | undefined;

/**
 * Base class of all layers and models. Parameters and submodules are found in the properties of an instance, also inside
 * arrays; names join the properties with dots, as in PyTorch.
 *
 * @example
 * class Classifier extends Module {
 *   readonly rnn = new DeepGRU({ hiddenSize: 128 });
 *   readonly head = new Linear({ outputs: 9 });
 *   forward(x: Tensor) { return this.head.forward(this.rnn.forward(x).state.h.at(-1)); }
 * }
 * new Classifier().forward(randn([20, 4, 12])); // [4, 9]
 */
export abstract class Module implements Disposable {
  /** Whether dropout applies; set by {@link train} and {@link eval}. */
  training = true;
  /** @internal */
  protected initialization?: Initialization;

  /** From inputs to outputs; each module says which. */
  abstract forward(...inputs: never[]): unknown;

  /** Whether all sizes of this module itself are known, so that its parameters exist. */
  get isBuilt(): boolean {
    return true;
  }

  /** Turns training behaviour (dropout) on or off, here and in all submodules. */
  train(mode = true): this {
    checkBoolean(mode, 'mode');
    for (const module of this.namedModules().values()) module.training = mode;
    return this;
  }

  /** Turns training behaviour off: `train(false)`. */
  eval(): this {
    return this.train(false);
  }

  /** The submodules one level down, by property name. */
  children(): [string, Module][] {
    return this.parts((part): part is Module => part instanceof Module);
  }

  /** This module (name `''`) and all below it by path, each once. */
  namedModules(): Map<string, Module> {
    const found = new Map<string, Module>();
    const seen = new Set<Module>();
    const visit = (module: Module, path: string): void => {
      if (seen.has(module)) return;
      seen.add(module);
      found.set(path, module);
      for (const [name, child] of module.children()) visit(child, joined(path, name));
    };
    visit(this, '');
    return found;
  }

  /** All parameters that exist so far by path; one that is shared appears once, under its first name. */
  namedParameters(): Map<string, Parameter> {
    const found = new Map<string, Parameter>();
    const seen = new Set<Parameter>();
    for (const [name, parameter] of this.aliases()) {
      if (seen.has(parameter)) continue;
      seen.add(parameter);
      found.set(name, parameter);
    }
    return found;
  }

  /** All parameters that exist so far, each once. */
  parameters(): Parameter[] {
    // Every step asks for them, and names nothing: so without the paths.
    const found = new Set<Parameter>();
    const seen = new Set<Module>();
    const visit = (module: Module): void => {
      if (seen.has(module)) return;
      seen.add(module);
      for (const [, parameter] of module.ownParameters()) found.add(parameter);
      for (const [, child] of module.children()) visit(child);
    };
    visit(this);
    return [...found];
  }

  /**
   * The number of trainable and frozen values.
   *
   * @throws ArgumentError when sizes are not known yet.
   */
  get parameterCount(): number {
    this.requireBuilt('parameterCount');
    return this.parameters().reduce((sum, parameter) => sum + parameter.size, 0);
  }

  /**
   * Draws all parameters anew: matrices from `matrix`, biases from `options.bias`; other vectors, such as the scale of a
   * layer norm, get their default. Modules that infer a size remember it until they are built.
   *
   * @throws ArgumentError for wrong options.
   * @example
   * model.initialize(normal(0.01), { recurrent: orthogonal(), forgetBias: 1 });
   */
  initialize(matrix: Initializer, options: InitializationOptions = {}): this {
    checkOptions(options, 'options', ['bias', 'recurrent', 'forgetBias']);
    const { bias = constant(0), recurrent = matrix, forgetBias } = options;
    checkInitializer(matrix, 'matrix');
    checkInitializer(bias, 'bias');
    checkInitializer(recurrent, 'recurrent');
    if (forgetBias !== undefined) checkNumber(forgetBias, 'forgetBias');
    for (const module of this.namedModules().values()) {
      module.initialization = { matrix, bias, recurrent, forgetBias };
      if (module.isBuilt) module.drawParameters();
    }
    return this;
  }

  /** Sets all gradients to zero. */
  zeroGrad(): void {
    scope(() => {
      for (const run of contiguousRuns(this.parameters())) fill(gradientsOf(run), 0);
    });
  }

  /**
   * The values of all parameters by name, read from the device.
   *
   * @throws ArgumentError when sizes are not known yet.
   */
  async stateDict(): Promise<StateDict> {
    this.requireBuilt('stateDict()');
    const entries = [...this.namedParameters()].map(async ([name, parameter]): Promise<[string, HostTensor]> => {
      return [name, { dtype: parameter.dtype, shape: parameter.shape, data: await parameter.data() }];
    });
    return new Map(await Promise.all(entries));
  }

  /**
   * Overwrites the parameters with stored values; float32 and float64 are converted. Sizes not known yet are taken from the
   * stored shapes. No value is changed when it throws.
   *
   * @param options `strict: false` ignores names that only one side has.
   * @throws ArgumentError for missing or unexpected names and wrong dtypes, ShapeError for wrong shapes.
   */
  loadStateDict(state: StateDict, options: { strict?: boolean } = {}): void {
    if (!(state instanceof Map)) throw expected('a Map of stored tensors', 'state', state);
    checkOptions(options, 'options', ['strict']);
    const strict = checkBoolean(options.strict ?? true, 'strict');
    for (const [path, module] of this.namedModules())
      if (!module.isBuilt) module.buildFrom((name) => state.get(joined(path, name))?.shape);
    const names = new Map(this.aliases());
    const stored = [...names].filter(([name]) => state.has(name));
    if (strict) {
      const found = new Set(stored.map(([, parameter]) => parameter));
      const missing = [...this.namedParameters()].filter(([, parameter]) => !found.has(parameter));
      if (missing.length > 0)
        throw new ArgumentError(`Missing from the state: ${missing.map(([name]) => name).join(', ')}`);
      const unexpected = [...state.keys()].filter((name) => !names.has(name));
      if (unexpected.length > 0) throw new ArgumentError(`Unexpected in the state: ${unexpected.join(', ')}`);
    }
    for (const [name, parameter] of stored) checkStored(name, parameter, state.get(name)!);
    for (const [name, parameter] of stored) parameter.copyFrom(state.get(name)!.data);
  }

  /** Frees all parameters and their gradients. */
  dispose(): void {
    for (const parameter of this.parameters()) {
      parameter.dispose();
      parameter.store.release();
    }
  }

  /** The same as {@link Module.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal The parameters of this module itself. */
  protected ownParameters(): [string, Parameter][] {
    return this.parts((part): part is Parameter => part instanceof Parameter);
  }

  /** @internal Creates the parameters with sizes from stored shapes, when these suffice. */
  protected buildFrom(_shapes: ShapeLookup): void {}

  /** @internal Default values of the parameters. */
  protected resetParameters(): void {}

  /** @internal Draws the parameters of this module itself: as `initialize` asked, else by default. */
  protected drawParameters(): void {
    this.resetParameters();
    if (!this.initialization) return;
    for (const [name, parameter] of this.ownParameters()) {
      if (name.startsWith('bias')) this.initialization.bias.fill(parameter);
      else if (name.startsWith('weight_hh')) this.initialization.recurrent.fill(parameter);
      else if (parameter.rank >= 2) this.initialization.matrix.fill(parameter);
    }
  }

  private requireBuilt(name: string): void {
    for (const [path, module] of this.namedModules())
      if (!module.isBuilt)
        throw new ArgumentError(
          `Expected known sizes for ${name} but ${path || 'this module'} has not seen an input yet; give its input size`,
        );
  }

  /** All names of all parameters, shared ones under each of theirs. */
  private aliases(): [string, Parameter][] {
    const found: [string, Parameter][] = [];
    const visit = (module: Module, path: string, above: readonly Module[]): void => {
      if (above.includes(module)) return;
      for (const [name, parameter] of module.ownParameters()) found.push([joined(path, name), parameter]);
      for (const [name, child] of module.children()) visit(child, joined(path, name), [...above, module]);
    };
    visit(this, '', []);
    return found;
  }

  /** The properties, and items of arrays in them, that pass the test, by name. */
  private parts<T>(test: (part: unknown) => part is T): [string, T][] {
    const found: [string, T][] = [];
    for (const name of Object.keys(this)) {
      const value: unknown = this[name as keyof this];
      if (test(value)) found.push([name, value]);
      else if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) {
          const item: unknown = value[i];
          if (test(item)) found.push([`${name}.${i}`, item]);
        }
      }
    }
    return found;
  }
}

/** @internal The device and dtype that a module's options name. */
export function placement(options: ModuleOptions): Required<ModuleOptions> {
  const device = options.device === undefined ? defaultDevice() : checkDevice(options.device, 'device');
  return { device, dtype: checkFloatDType(options.dtype ?? 'float32') };
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function checkInitializer(value: Initializer, name: string): void {
  if (typeof value?.fill !== 'function') throw expected('an initialiser such as normal(0.01)', name, value);
}

function checkStored(name: string, parameter: Parameter, stored: HostTensor): void {
  if (!Array.isArray(stored?.shape) || dtypeOf(stored.data) === undefined)
    throw expected('{ dtype, shape, data }', `"${name}"`, stored);
  if (stored.dtype !== 'float32' && stored.dtype !== 'float64')
    throw expected('float32 or float64', `the dtype of "${name}"`, stored.dtype);
  const shape = [...parameter.shape];
  if (stored.shape.length !== shape.length || shape.some((dimension, axis) => dimension !== stored.shape[axis]))
    throw expected(`shape [${shape}]`, `"${name}"`, stored.shape, ShapeError);
  if (stored.data.length !== parameter.size)
    throw expected(`${parameter.size} values`, `"${name}"`, stored.data, ShapeError);
}
