import { checkBoolean, checkInteger, checkOptions } from '../check.js';
import type { Device } from '../device.js';
import { type FloatDType, isFloat } from '../dtype.js';
import { expected } from '../errors.js';
import { linear } from '../ops/index.js';
import type { Tensor } from '../tensor.js';
import { uniform } from './init.js';
import { Module, type ModuleOptions, placement, type ShapeLookup } from './module.js';
import { createParameters, type Parameter } from './parameters.js';

export interface LinearOptions extends ModuleOptions {
  /** Features of the result. */
  outputs: number;
  /** Features of the input; taken from the first one when absent. */
  inputs?: number;
  /** Add a bias; default true. */
  bias?: boolean;
}

/**
 * A fully connected layer, y = x Wᵀ + b with `weight` W [outputs, inputs] and `bias` b [outputs]: [..., inputs] to
 * [..., outputs]. Starts from U(±1/√inputs) like `torch.nn.Linear`.
 *
 * @example
 * const y = new Linear({ outputs: 9 }).forward(randn([4, 5])); // [4, 9]
 */
export class Linear extends Module {
  /** Features of the output. */
  readonly outputs: number;
  /** Matrix [outputs,inputs]; absent until the number of inputs is known. */
  weight?: Parameter;
  /** Summands [outputs]; absent until the number of inputs is known, or for good. */
  bias?: Parameter;
  private readonly hasBias: boolean;
  private readonly device: Device;
  private readonly dtype: FloatDType;

  /** @throws ArgumentError for wrong options. */
  constructor(options: LinearOptions) {
    super();
    checkOptions(options, 'options', ['outputs', 'inputs', 'bias', 'device', 'dtype']);
    this.outputs = checkInteger(options.outputs, 'outputs', { min: 1 });
    this.hasBias = checkBoolean(options.bias ?? true, 'bias');
    ({ device: this.device, dtype: this.dtype } = placement(options));
    if (options.inputs !== undefined) this.build(options.inputs);
  }

  override get isBuilt(): boolean {
    return this.weight !== undefined;
  }

  /**
   * @param x float [..., inputs]
   * @returns [..., outputs]
   * @throws ShapeError when the last axis of x is not `inputs` long.
   */
  forward(x: Tensor): Tensor {
    if (!this.weight) {
      if (x.rank === 0 || !isFloat(x.dtype)) throw expected('a float tensor [..., inputs]', 'x', x.toString());
      this.build(x.shape[x.rank - 1]);
    }
    return linear(x, this.weight!, this.bias);
  }

  protected override buildFrom(shapes: ShapeLookup): void {
    const shape = shapes('weight');
    if (shape?.length === 2) this.build(shape[1]);
  }

  protected override resetParameters(): void {
    const bound = 1 / Math.sqrt(this.weight!.shape[1]);
    for (const [, parameter] of this.ownParameters()) uniform(-bound, bound).fill(parameter);
  }

  private build(inputs: number): void {
    checkInteger(inputs, 'inputs', { min: 1 });
    const { weight, bias } = createParameters(
      { weight: [this.outputs, inputs], ...(this.hasBias && { bias: [this.outputs] }) } as {
        weight: number[];
        bias: number[];
      },
      this.dtype,
      this.device,
    );
    this.weight = weight;
    this.bias = bias;
    this.drawParameters();
  }
}
