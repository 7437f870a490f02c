import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Vocabulary } from '../../src/data/vocabulary.js';
import { device } from '../../src/device.js';
import { ArgumentError } from '../../src/errors.js';
import { LanguageModel } from '../../src/models/language-model.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { RecurrentOptions, RecurrentStack } from '../../src/nn/recurrent.js';
import { DeepRNN } from '../../src/nn/rnn.js';
import { tensor } from '../../src/ops/index.js';
import type { RnnPrecision } from '../../src/ops/rnn.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import { uniformDraws } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { trainSeedModel } from '../helpers/seed-model.js';

const { kind } = expectNoLeaks();

const [STEPS, BATCH, FEATURES, HIDDEN] = [9, 5, 37, 48];

const STACKS: [string, (options: RecurrentOptions) => RecurrentStack, RecurrentOptions][] = [
  ['tanh', (options) => new DeepRNN(options), {}],
  ['relu', (options) => new DeepRNN({ ...options, nonlinearity: 'relu' }), { layers: 1 }],
  ['gru', (options) => new DeepGRU(options), {}],
  ['lstm', (options) => new DeepLSTM(options), {}],
  ['lstm, both directions', (options) => new DeepLSTM(options), { bidirectional: true }],
  ['lstm, projected', (options) => new DeepLSTM({ ...options, projSize: 20 }), {}],
  ['gru, dropout', (options) => new DeepGRU(options), { dropout: 0.3 }],
];

/** Outputs, final states and all gradients by name. */
async function run(
  make: (options: RecurrentOptions) => RecurrentStack,
  options: RecurrentOptions,
): Promise<Map<string, ArrayLike<number>>> {
  manualSeed(3);
  const stack = make({ layers: 2, hiddenSize: HIDDEN, inputSize: FEATURES, ...options });
  const reads = scope(() => {
    const shape = [STEPS, BATCH, FEATURES];
    const x = tensor(Float32Array.from(uniformDraws(1, STEPS * BATCH * FEATURES)), {
      shape,
      requiresGrad: true,
      device: stack.device,
    });
    const { output, state } = stack.forward(x, { lengths: [9, 4, 7, 0, 9] });
    const weights = Float32Array.from(uniformDraws(2, output.size));
    backward(output.mul(tensor(weights, { shape: output.shape, device: stack.device })).sum());
    return [
      ['output', output.data()] as const,
      ['h', state.h.data()] as const,
      ['x', x.grad!.data()] as const,
      ...[...stack.namedParameters()].map(([name, { grad }]) => [name, grad.data()] as const),
    ];
  });
  stack.dispose();
  return new Map(await Promise.all(reads.map(async ([name, data]) => [name, await data] as const)));
}

/** The reduced precisions that the device has, and how far results may be from those of float32, by [output, gradients]. */
const PRECISIONS: [RnnPrecision, [number, number]][] =
  kind === 'cpu'
    ? [['bfloat16', [2e-2, 4e-2]]]
    : [
        ['bfloat16', [2e-2, 4e-2]],
        ['float16', [2e-3, 8e-3]],
      ];

/** Of the seed model in float32. */
let exactLosses: number[] | undefined;

describe.each(PRECISIONS)('products of %s', (precision, [outputs, gradients]) => {
  it.each(STACKS)('are near those of float32: %s', async (stack, make, options) => {
    // A GPU's masks need not be the same in another precision.
    const dropout = kind === 'cuda' ? 0 : options.dropout;
    const exact = await run(make, { ...options, dropout });
    const rounded = await run(make, { ...options, dropout, precision });
    let differs = false;
    for (const [name, expected] of exact) {
      const actual = rounded.get(name)!;
      const largest = Math.max(...Array.from(expected, Math.abs));
      const error = Math.max(...Array.from(expected, (value, i) => Math.abs(actual[i] - value)));
      // A relu whose sum lies near zero may change sides, and its gradient with it.
      const tolerance = name === 'output' || name === 'h' ? outputs : stack === 'relu' ? 5 * gradients : gradients;
      expect(error / largest, name).toBeLessThan(tolerance);
      differs ||= error > 0;
    }
    expect(differs).toBe(true);
  });

  it('train the seed model like those of float32', async () => {
    exactLosses ??= await trainSeedModel();
    const exact = exactLosses;
    const rounded = await trainSeedModel(precision);
    rounded.forEach((loss, i) => {
      expect(Math.abs(loss - exact[i]), `step ${i}: ${loss}, float32 ${exact[i]}`).toBeLessThan(1e-2);
    });
  });

  it('generate, and the precision is saved and can be chosen anew', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-precision-'));
    try {
      const vocabulary = new Vocabulary('abcdefghijklmnopqrstuvwxyz ');
      using model = new LanguageModel(new DeepGRU({ hiddenSize: 40, precision }), { vocabulary });
      const options = { length: 40, temperature: 1, seed: 2 };
      const text = await model.generate('once', options);
      const path = join(folder, 'model.safetensors');
      await model.save(path);
      using copy = await LanguageModel.load(path);
      expect(copy.rnn.precision).toBe(precision);
      expect(await copy.generate('once', options)).toBe(text);
      using exact = await LanguageModel.load(path, { precision: 'float32' });
      expect(exact.rnn.precision).toBe('float32');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('on the CPU', () => {
  it.each(STACKS)('products of bfloat16 give the same bits for 1 to 4 threads: %s', async (_, make, options) => {
    const results = [];
    for (const threads of [1, 2, 3, 4]) {
      using cpu = device('cpu', { threads });
      results.push(await run(make, { ...options, precision: 'bfloat16', device: cpu }));
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it.each(['float16', 'tf32'] as const)('there is no %s', (precision) => {
    using cpu = device('cpu', { threads: 1 });
    expect(() => new DeepGRU({ precision, device: cpu })).toThrow(ArgumentError);
    expect(() => new DeepGRU({ precision, device: cpu })).toThrow(
      `Expected 'float32' or 'bfloat16' on a CPU for precision but received "${precision}"`,
    );
  });
});
