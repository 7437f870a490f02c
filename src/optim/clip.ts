import { checkNumber } from '../check.js';
import type { DType } from '../dtype.js';
import { ArgumentError } from '../errors.js';
import { DTYPE_CODE } from '../native/binding.js';
import type { Module } from '../nn/module.js';
import { contiguousRuns, gradientsOf, type Run } from '../nn/parameters.js';
import { add, cast } from '../ops/index.js';
import { unary } from '../ops/primitives.js';
import { scope } from '../scope.js';
import { noGrad } from '../tape.js';
import { Tensor } from '../tensor.js';

/**
 * Scales the gradients of all trainable parameters in place so that the root of their sum of squares is at most `maxNorm`:
 * by maxNorm / norm when norm > maxNorm, as D2L's `grad_clipping` does.
 *
 * @returns The norm before, a scalar [] that stays on the device.
 * @throws ArgumentError when maxNorm is not positive or the model has no trainable parameters yet.
 * @example
 * backward(nextTokenLoss(model, batch).loss);
 * const norm = clipGradNorm(model, 1);
 * optimizer.step();
 */
export function clipGradNorm(model: Module, maxNorm: number): Tensor {
  checkNumber(maxNorm, 'maxNorm', { above: 0 });
  const runs = trainableRuns(model, 'clipGradNorm');
  return noGrad(() =>
    scope(() => {
      const gradients = runs.map(gradientsOf);
      const total = sumSquares(gradients);
      const [norm] = gradients.map((gradient) => clipNorm(gradient, cast(total, gradient.dtype), maxNorm));
      return norm!;
    }),
  );
}

/**
 * Limits every gradient of trainable parameters to [-limit, limit] in place.
 *
 * @throws ArgumentError when limit is not positive or the model has no trainable parameters yet.
 * @example
 * backward(nextTokenLoss(model, batch).loss);
 * clipGradValue(model, 5);
 * optimizer.step();
 */
export function clipGradValue(model: Module, limit: number): void {
  checkNumber(limit, 'limit', { above: 0 });
  scope(() => {
    for (const gradient of trainableRuns(model, 'clipGradValue').map(gradientsOf)) {
      unary('minimumScalar', gradient, limit, gradient);
      unary('maximumScalar', gradient, -limit, gradient);
    }
  });
}

function trainableRuns(model: Module, name: string): Run[] {
  const runs = contiguousRuns(model.parameters().filter((parameter) => parameter.requiresGrad));
  if (runs.length === 0) throw new ArgumentError(`Expected a model with trainable parameters for ${name}`);
  return runs;
}

/** The sum of squares of all elements, in the dtype of the first tensor. */
function sumSquares(tensors: readonly Tensor[]): Tensor {
  const sums = new Map<DType, Tensor>();
  for (const { device, dtype, size, handle, offset } of tensors) {
    const present = sums.get(dtype);
    const sum = present ?? Tensor.allocate([], dtype, device);
    device.binding.sumSquares(DTYPE_CODE[dtype], size, present !== undefined, handle, offset, sum.handle, sum.offset);
    sums.set(dtype, sum);
  }
  return [...sums.values()].reduce((total, sum) => add(total, cast(sum, total.dtype)));
}

/** Scales a gradient in place and gives the norm, in its dtype. */
function clipNorm({ device, dtype, size, handle, offset }: Tensor, sum: Tensor, maxNorm: number): Tensor {
  const norm = Tensor.allocate([], dtype, device);
  const code = DTYPE_CODE[dtype];
  device.binding.clipNorm(code, size, maxNorm, sum.handle, sum.offset, handle, offset, norm.handle, norm.offset);
  return norm;
}
