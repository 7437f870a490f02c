/** Losses. */
import { checkBoolean, checkChoice, checkInteger, checkNumber, checkOptions } from '../check.js';
import { expected, ShapeError } from '../errors.js';
import { DTYPE_CODE } from '../native/binding.js';
import { record } from '../tape.js';
import { Tensor } from '../tensor.js';
import { mul, sub } from './arithmetic.js';
import { lessEqual, where } from './compare.js';
import { abs, square } from './elementwise.js';
import { sameShape } from './layout.js';
import { checkFloatTensor, checkIndices, checkLike, checkTensorShape } from './operands.js';
import { addresses, binary, emptyLike, expand, reduce, unary } from './primitives.js';
import { mean, sum } from './reduce.js';

/** What becomes of the losses of single elements or samples. */
export type Reduction = 'mean' | 'sum' | 'none';

const REDUCTIONS: readonly Reduction[] = ['mean', 'sum', 'none'];

/** What every loss takes. */
export interface LossOptions {
  /** Default 'mean'. */
  reduction?: Reduction;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends LossOptions {
  /** Samples with this target count for nothing; default -100. */
  ignoreIndex?: number;
  /** A weight for each class [V]; the mean is then the weighted one. */
  weights?: Tensor;
  /** The share of the target that is spread evenly over all classes, 0 to 1; default 0. */
  labelSmoothing?: number;
}

/**
 * -log softmax(logits)[target]: logits [..., V], int32 targets [...]. The mean is over samples that are not ignored, NaN when
 * all are; PyTorch's `cross_entropy` in every option.
 *
 * @throws ShapeError when the shapes do not fit; DeviceError when the values are read and a target is no class.
 * @example
 * crossEntropy(zeros([3, 5]), tensor([4, 0, 2], { dtype: 'int32' }), { ignoreIndex: 0 }); // 1.60944
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkFloatTensor(logits, 'logits');
  checkOptions(options, 'options', ['reduction', 'ignoreIndex', 'weights', 'labelSmoothing']);
  const reduction = checkReduction(options);
  const ignoreIndex = checkInteger(options.ignoreIndex ?? -100, 'ignoreIndex', { min: -(2 ** 31), max: 2 ** 31 - 1 });
  const smoothing = checkNumber(options.labelSmoothing ?? 0, 'labelSmoothing', { min: 0, max: 1 });
  const columns = logits.shape[logits.rank - 1];
  if (logits.rank === 0 || columns === 0) throw expected('a last axis of classes', 'logits', logits.shape, ShapeError);
  checkTensorShape(checkIndices(targets, 'targets', logits), 'targets', logits.shape.slice(0, -1));
  const weights = options.weights ?? null;
  if (weights !== null) {
    checkTensorShape(checkLike(weights, 'weights', logits), 'weights', [columns]);
    if (weights.requiresGrad) throw expected('a tensor that requires no gradient', 'weights', `${weights}`);
  }

  const rows = targets.size;
  const code = DTYPE_CODE[logits.dtype];
  const { binding } = logits.device;
  // The loss of each sample, then what it counts for.
  const samples = emptyLike(logits, [2, rows]);
  const losses = Tensor.view(samples, 0, targets.shape);
  const probabilities = emptyLike(logits);
  if (rows > 0) {
    const buffers = addresses(logits, targets, weights, losses, Tensor.view(samples, rows, [rows]), probabilities);
    binding.crossEntropy(code, rows, columns, ignoreIndex, smoothing, buffers);
  }
  const { result, gradients, saved } = reducedSamples(samples, losses, reduction);
  record(
    'crossEntropy',
    [logits],
    [result],
    ([g]) => {
      const dlogits = emptyLike(logits);
      if (rows === 0) return dlogits;
      const buffers = addresses(probabilities, targets, weights, gradients(g!), dlogits);
      binding.crossEntropyBackward(code, rows, columns, ignoreIndex, smoothing, buffers);
      return dlogits;
    },
    [probabilities, ...saved],
  );
  return result;
}

/** What becomes of losses (the first half of `samples`), how its gradient becomes theirs, and what that needs. */
function reducedSamples(
  samples: Tensor,
  losses: Tensor,
  reduction: Reduction,
): { result: Tensor; gradients(g: Tensor): Tensor; saved: Tensor[] } {
  if (reduction === 'none') return { result: losses, gradients: (g) => g, saved: [] };
  const { shape } = losses;
  const sums = reduce('sum', samples, [1], [2]);
  losses.dispose();
  samples.dispose();
  const loss = Tensor.view(sums, 0, []);
  if (reduction === 'sum') return { result: loss, gradients: (g) => expand(g, shape), saved: [] };
  const counted = Tensor.view(sums, 1, []);
  return {
    result: binary('divide', loss, counted),
    gradients: (g) => binary('divide', g, counted, shape),
    saved: [counted],
  };
}

/**
 * (prediction - target)²
 *
 * @throws ShapeError when the shapes differ.
 * @example
 * mse(tensor([1, 2]), tensor([1, 4])); // 2
 */
export function mse(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const reduction = checkElementLoss(prediction, target, options, []);
  return reduced(square(sub(prediction, target)), reduction);
}

/**
 * |prediction - target|
 *
 * @throws ShapeError when the shapes differ.
 * @example
 * l1(tensor([1, 2]), tensor([1, 4])); // 1
 */
export function l1(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const reduction = checkElementLoss(prediction, target, options, []);
  return reduced(abs(sub(prediction, target)), reduction);
}

/**
 * d²/2 for |d| ≤ delta, else delta (|d| - delta/2), with d = prediction - target; delta defaults to 1.
 *
 * @throws ShapeError when the shapes differ.
 * @example
 * huber(tensor([1, 2]), tensor([1, 4]), { reduction: 'none' }); // [0, 1.5]
 */
export function huber(prediction: Tensor, target: Tensor, options: LossOptions & { delta?: number } = {}): Tensor {
  const reduction = checkElementLoss(prediction, target, options, ['delta']);
  const delta = checkNumber(options.delta ?? 1, 'delta', { above: 0 });
  const difference = sub(prediction, target);
  const size = abs(difference);
  const near = mul(square(difference), 0.5);
  const far = mul(sub(size, delta / 2), delta);
  return reduced(where(lessEqual(size, delta), near, far), reduction);
}

/**
 * -(t log p + (1 - t) log(1 - p)) of probabilities p, the logarithms cut off at -100, or, with `fromLogits`, of p = sigmoid(x),
 * computed without overflow. Targets t lie in 0..1 and get no gradient.
 *
 * @throws ShapeError when the shapes differ, ArgumentError when the target requires a gradient.
 * @example
 * binaryCrossEntropy(tensor([0]), tensor([1]), { fromLogits: true }); // 0.69315
 */
export function binaryCrossEntropy(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions & { fromLogits?: boolean } = {},
): Tensor {
  const reduction = checkElementLoss(prediction, target, options, ['fromLogits']);
  if (target.requiresGrad) throw expected('a tensor that requires no gradient', 'target', `${target}`);
  const fromLogits = checkBoolean(options.fromLogits ?? false, 'fromLogits');
  const losses = fromLogits ? logitLosses(prediction, target) : probabilityLosses(prediction, target);
  return reduced(losses, reduction);
}

/** max(x, 0) - x t + log(1 + e^-|x|) */
function logitLosses(x: Tensor, target: Tensor): Tensor {
  const tail = unary('exp', unary('negative', unary('absolute', x)));
  unary('addScalar', tail, 1, tail);
  unary('log', tail, 0, tail);
  const y = binary('add', binary('subtract', unary('relu', x), binary('multiply', x, target)), tail);
  record('binaryCrossEntropy', [x], [y], ([g]) =>
    binary('multiply', g!, binary('subtract', unary('sigmoid', x), target)),
  );
  return y;
}

function probabilityLosses(p: Tensor, target: Tensor): Tensor {
  const complement = (of: Tensor) => unary('addScalar', unary('negative', of), 1);
  const logarithm = (of: Tensor) => unary('maximumScalar', unary('log', of), -100);
  const yes = binary('multiply', target, logarithm(p));
  const no = binary('multiply', complement(target), logarithm(complement(p)));
  const y = unary('negative', binary('add', yes, no));
  record('binaryCrossEntropy', [p], [y], ([g]) => {
    const slope = unary('maximumScalar', binary('multiply', p, complement(p)), 1e-12);
    return binary('multiply', g!, binary('divide', binary('subtract', p, target), slope));
  });
  return y;
}

function checkElementLoss(prediction: Tensor, target: Tensor, options: LossOptions, others: string[]): Reduction {
  checkFloatTensor(prediction, 'prediction');
  checkLike(target, 'target', prediction);
  if (!sameShape(prediction.shape, target.shape)) {
    throw expected(`shape [${prediction.shape.join(', ')}] like prediction's`, 'target', target.shape, ShapeError);
  }
  checkOptions(options, 'options', ['reduction', ...others]);
  return checkReduction(options);
}

function checkReduction(options: LossOptions): Reduction {
  return checkChoice(options.reduction ?? 'mean', 'reduction', REDUCTIONS);
}

function reduced(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? sum(losses) : mean(losses);
}
