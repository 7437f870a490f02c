import { describe, expect, it } from 'vitest';
import {
  binaryCrossEntropy,
  type CrossEntropyOptions,
  cast,
  crossEntropy,
  gather,
  huber,
  l1,
  logSoftmax,
  mse,
  notEqual,
  type Reduction,
  reshape,
  tensor,
  where,
} from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { expectClose } from '../helpers/close.js';
import { gradcheck, leaf, values } from '../helpers/gradcheck.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const cpu = expectNoLeaks();

const REDUCTIONS: Reduction[] = ['mean', 'sum', 'none'];
const integers = (data: number[], shape = [data.length]) => tensor(Int32Array.from(data), { shape });

describe('crossEntropy', () => {
  const CLASSES = 5;
  const TARGETS = [4, 0, -100, 2, 2, 1];
  const CLASS_WEIGHTS = Float64Array.of(0.5, 2, 1, 0.25, 3);
  const logits = values([TARGETS.length, CLASSES], { low: -3, high: 3 });

  /** The same from primitives: PyTorch's definition, term by term. */
  function twin(x: Tensor, targets: number[], options: CrossEntropyOptions): Tensor {
    const { reduction = 'mean', ignoreIndex = -100, labelSmoothing = 0 } = options;
    const weights = options.weights ?? tensor(new Float64Array(CLASSES).fill(1));
    const counts = cast(notEqual(integers(targets), ignoreIndex), 'float64');
    const safe = integers(targets.map((target) => (target === ignoreIndex ? 0 : target)));
    const logs = logSoftmax(x).mul(weights);
    const chosen = gather(logs, reshape(safe, [-1, 1]), 1)
      .sum(1)
      .neg();
    const spread = logs
      .sum(1)
      .neg()
      .mul(labelSmoothing / CLASSES);
    const losses = where(counts.cast('int32'), chosen.mul(1 - labelSmoothing).add(spread), 0);
    if (reduction === 'none') return losses;
    const weightOf = gather(weights, safe, 0).mul(counts);
    return reduction === 'sum' ? losses.sum() : losses.sum().div(weightOf.sum());
  }

  const OPTIONS: [string, Omit<CrossEntropyOptions, 'reduction' | 'weights'> & { weighted?: boolean }][] = [
    ['nothing else', {}],
    ['another ignoreIndex', { ignoreIndex: 2 }],
    ['class weights', { weighted: true }],
    ['label smoothing', { labelSmoothing: 0.3 }],
    ['all of them', { ignoreIndex: 0, weighted: true, labelSmoothing: 0.1 }],
    ['nothing but smoothing', { labelSmoothing: 1 }],
  ];

  describe.each(REDUCTIONS)('%s', (reduction) => {
    it.each(OPTIONS)('equals its twin with %s, gradients included', async (_, { weighted, ...rest }) => {
      const targets = rest.ignoreIndex === undefined ? TARGETS : TARGETS.map((target) => (target < 0 ? 3 : target));
      const complete = (): CrossEntropyOptions => ({
        ...rest,
        reduction,
        ...(weighted && { weights: tensor(CLASS_WEIGHTS) }),
      });
      const run = (compute: (x: Tensor) => Tensor) =>
        scope(() => {
          const x = leaf(logits);
          const loss = compute(x);
          backward(loss.mul(leaf(values([...loss.shape], { seed: 3 }), false)).sum());
          return [loss.data(), (x.grad as Tensor).data()];
        });
      const fused = run((x) => crossEntropy(x, integers(targets), complete()));
      const composed = run((x) => twin(x, targets, complete()));
      expectClose(await fused[0], await composed[0], 'product', 'float64');
      expectClose(await fused[1], await composed[1], 'product', 'float64');
      await gradcheck((x) => crossEntropy(x, integers(targets), complete()), logits);
    });
  });

  it('is the logarithm of the number of classes without any knowledge', async () => {
    const losses = scope(() => {
      const x = tensor(new Float32Array(2 * 3 * 7), { shape: [2, 3, 7] });
      return [
        crossEntropy(x, integers([0, 1, 2, 3, 4, 5], [2, 3])).item(),
        crossEntropy(tensor([1, 1]), integers([1], [])).item(),
      ];
    });
    expectClose(await Promise.all(losses), [Math.log(7), Math.log(2)], 'elementwise');
  });

  it('is NaN when all samples are ignored and 0 in a sum', async () => {
    const losses = scope(() => {
      const options = { ignoreIndex: 1 };
      return [
        crossEntropy(tensor([[1, 2]]), integers([1]), options),
        crossEntropy(tensor([[1, 2]]), integers([1]), { ...options, reduction: 'sum' }),
      ].map((loss) => loss.item());
    });
    expect(await Promise.all(losses)).toEqual([NaN, 0]);
  });

  it('names the operation when a target is no class, and the device recovers', async () => {
    await expect(scope(() => crossEntropy(tensor([[1, 2]]), integers([2])).item())).rejects.toThrow(/crossEntropy.*2/s);
    cpu.clearError();
    expectClose(await scope(() => crossEntropy(tensor([[1, 1]]), integers([1])).item()), Math.log(2), 'elementwise');
  });

  it('rejects what does not fit', () => {
    scope(() => {
      const x = tensor([[1, 2]]);
      expect(() => crossEntropy(x, integers([0, 1]))).toThrow('Expected shape [1] for targets but received [2]');
      expect(() => crossEntropy(x, tensor([0]))).toThrow('Expected an int32 tensor for targets but received "float32"');
      expect(() => crossEntropy(x, integers([0]), { labelSmoothing: 1.5 })).toThrow(
        'Expected a finite number from 0 to 1 for labelSmoothing',
      );
      expect(() => crossEntropy(x, integers([0]), { reduction: 'avg' as never })).toThrow(
        "Expected one of 'mean', 'sum', 'none' for reduction",
      );
      expect(() => crossEntropy(x, integers([0]), { weights: tensor([1]) })).toThrow(
        'Expected shape [2] for weights but received [1]',
      );
      expect(() => crossEntropy(x, integers([0]), { ignoreindex: 0 } as never)).toThrow(
        "(did you mean 'ignoreIndex'?)",
      );
      expect(() => crossEntropy(tensor([], { shape: [2, 0] }), integers([0, 0]))).toThrow(
        'Expected a last axis of classes for logits',
      );
    });
  });
});

type ElementLoss = (prediction: Tensor, target: Tensor, options?: { reduction?: Reduction }) => Tensor;

const ELEMENT_LOSSES: [string, ElementLoss, (p: number, t: number) => number, [number, number]][] = [
  ['mse', mse, (p, t) => (p - t) ** 2, [-2, 2]],
  ['l1', l1, (p, t) => Math.abs(p - t), [-2, 2]],
  ['huber', huber, (p, t) => (Math.abs(p - t) <= 1 ? (p - t) ** 2 / 2 : Math.abs(p - t) - 0.5), [-2, 2]],
  [
    'huber with delta 0.4',
    (p, t, options) => huber(p, t, { ...options, delta: 0.4 }),
    (p, t) => (Math.abs(p - t) <= 0.4 ? (p - t) ** 2 / 2 : 0.4 * (Math.abs(p - t) - 0.2)),
    [-2, 2],
  ],
  ['binaryCrossEntropy', binaryCrossEntropy, (p, t) => -(t * Math.log(p) + (1 - t) * Math.log(1 - p)), [0.05, 0.95]],
  [
    'binaryCrossEntropy from logits',
    (p, t, options) => binaryCrossEntropy(p, t, { ...options, fromLogits: true }),
    (x, t) => Math.log(1 + Math.exp(x)) - t * x,
    [-4, 4],
  ],
];

describe.each(ELEMENT_LOSSES)('%s', (_, loss, reference, [low, high]) => {
  const shape = [3, 4];
  const prediction = values(shape, { low, high });
  const target = values(shape, { seed: 2, low: Math.max(low, 0), high: Math.min(high, 1) });

  it('computes its definition in every reduction', async () => {
    const [mean, sum, none] = scope(() =>
      REDUCTIONS.map((reduction) => loss(leaf(prediction), leaf(target, false), { reduction }).data()),
    );
    const expected = Array.from(prediction.data, (p, i) => reference(p, target.data[i]));
    const total = expected.reduce((a, b) => a + b, 0);
    expectClose(await none, expected, 'product', 'float64');
    expectClose(await sum, [total], 'product', 'float64');
    expectClose(await mean, [total / expected.length], 'product', 'float64');
  });

  it.each(REDUCTIONS)('has the gradient of %s', async (reduction) => {
    await gradcheck((p) => loss(p, leaf(target, false), { reduction }), prediction);
  });

  it('rejects what does not fit', () => {
    scope(() => {
      const p = tensor([0.5, 0.5]);
      expect(() => loss(p, tensor([0.5]))).toThrow("Expected shape [2] like prediction's for target but received [1]");
      expect(() => loss(p, integers([0, 1]))).toThrow('Expected a tensor of float32 (use cast) for target');
      expect(() => loss(p, p, { reduction: 'total' as never })).toThrow('for reduction but received "total"');
    });
  });
});

describe('gradients of losses', () => {
  it('reach the target of mse, l1 and huber', async () => {
    for (const loss of [mse, l1, huber]) await gradcheck((p, t) => loss(p, t), values([4]), values([4], { seed: 2 }));
  });

  it('is sigmoid(x) - t for logits, also at 0 and far out, without overflow', async () => {
    const [losses, grad] = scope(() => {
      const x = tensor([0, 200, -200], { requiresGrad: true });
      const y = binaryCrossEntropy(x, tensor([1, 0, 1]), { fromLogits: true, reduction: 'none' });
      backward(y.sum());
      return [y.data(), (x.grad as Tensor).data()];
    });
    expectClose(await losses, [Math.log(2), 200, 200], 'elementwise');
    expectClose(await grad, [-0.5, 1, -1], 'elementwise');
  });

  it('cuts logarithms of probabilities 0 and 1 off at -100', async () => {
    const [losses, grad] = scope(() => {
      const p = tensor([0, 1, 0, 1], { requiresGrad: true });
      const y = binaryCrossEntropy(p, tensor([1, 0, 0, 1]), { reduction: 'none' });
      backward(y.sum());
      return [y.data(), (p.grad as Tensor).data()];
    });
    expectClose(await losses, [100, 100, 0, 0], 'exact');
    expectClose(await grad, [-1e12, 1e12, 0, 0], 'elementwise');
  });

  it('rejects a binary target that requires a gradient', () => {
    scope(() => {
      const t = tensor([1], { requiresGrad: true });
      expect(() => binaryCrossEntropy(tensor([0.5]), t)).toThrow(
        'Expected a tensor that requires no gradient for target',
      );
      expect(() => huber(tensor([1]), tensor([1]), { delta: 0 })).toThrow(
        'Expected a finite number above 0 for delta but received 0',
      );
    });
  });
});
