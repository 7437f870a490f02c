import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Vocabulary } from '../../src/data/vocabulary.js';
import { device } from '../../src/device.js';
import { ArgumentError } from '../../src/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/io/safetensors.js';
import type { GenerationOptions } from '../../src/models/generation.js';
import { LanguageModel, type LanguageModelOptions } from '../../src/models/language-model.js';
import { DeepGRU } from '../../src/nn/gru.js';
import { normal } from '../../src/nn/init.js';
import { DeepLSTM } from '../../src/nn/lstm.js';
import type { RecurrentStack } from '../../src/nn/recurrent.js';
import { DeepRNN } from '../../src/nn/rnn.js';
import { crossEntropy, tensor } from '../../src/ops/index.js';
import { manualSeed } from '../../src/random.js';
import { scope } from '../../src/scope.js';
import { noGrad } from '../../src/tape.js';
import { expectNoLeaks } from '../helpers/leaks.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-model-'));
afterAll(() => rmSync(folder, { recursive: true }));

const cpu = expectNoLeaks();
const buffers = () => cpu.memory().buffers;
const open: Disposable[] = [];
beforeEach(() => {
  manualSeed(1);
});
afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

const letters = new Vocabulary('abcdefghijklmnopqrstuvwxyz ');
const words = new Vocabulary('to be or not that is the question', { kind: 'word' });

function modelOf(rnn: RecurrentStack, options: Partial<LanguageModelOptions> = {}): LanguageModel {
  const model = new LanguageModel(rnn, { vocabulary: letters, ...options });
  open.push(model);
  return model;
}

/** Weights large enough that the likeliest token changes from step to step. */
const lively = (model: LanguageModel) => model.initialize(normal(0.8), { bias: normal(0.1) });

const VARIANTS: [string, () => LanguageModel][] = [
  ['LSTM', () => modelOf(new DeepLSTM({ hiddenSize: 12, layers: 2 }))],
  ['LSTM, projected', () => modelOf(new DeepLSTM({ hiddenSize: 12, layers: 2, projSize: 7 }))],
  ['LSTM, embedding and dropout', () => modelOf(new DeepLSTM({ hiddenSize: 12 }), { embedding: 5, dropout: 0.5 })],
  ['GRU, float64', () => modelOf(new DeepGRU({ hiddenSize: 12, layers: 3, dtype: 'float64' }))],
  ['GRU, tied', () => modelOf(new DeepGRU({ hiddenSize: 12, layers: 2 }), { embedding: 12, tied: true })],
  ['GRU, skip input', () => modelOf(new DeepGRU({ hiddenSize: 12, inputMode: 'skip' }), { embedding: 12 })],
  ['RNN, no bias', () => modelOf(new DeepRNN({ hiddenSize: 12, layers: 2, bias: false }))],
  ['RNN, relu, single bias', () => modelOf(new DeepRNN({ hiddenSize: 12, nonlinearity: 'relu', bias: 'single' }))],
];

/** The logits [V] after each token of a text, from one forward call. */
async function logitsAfter(model: LanguageModel, ids: Int32Array): Promise<Float64Array[]> {
  const V = model.vocabulary.size;
  const values = await scope(() => noGrad(() => model.forward(tensor(ids, { shape: [ids.length, 1] })).logits.data()));
  return Array.from({ length: ids.length }, (_, t) => Float64Array.from(values.subarray(t * V, (t + 1) * V)));
}

const likeliest = (logits: Float64Array) => logits.indexOf(Math.max(...logits));

describe('shape and start', () => {
  test("D2L's model has 826,396 parameters and starts at the entropy of guessing", async () => {
    const model = modelOf(new DeepLSTM({ layers: 2, hiddenSize: 256 })).initialize(normal(0.01));
    expect(model.parameterCount).toBe(826_396);
    expect([...model.namedParameters().keys()]).toEqual([
      'rnn.weight_ih_l0',
      'rnn.weight_hh_l0',
      'rnn.bias_ih_l0',
      'rnn.bias_hh_l0',
      'rnn.weight_ih_l1',
      'rnn.weight_hh_l1',
      'rnn.bias_ih_l1',
      'rnn.bias_hh_l1',
      'head.weight',
      'head.bias',
    ]);
    const parameters = model.namedParameters();
    for (const name of ['rnn.weight_ih_l0', 'rnn.weight_hh_l1', 'head.weight']) {
      const values = Float64Array.from(await parameters.get(name)!.data());
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      expect(Math.sqrt(variance)).toBeGreaterThan(0.0097);
      expect(Math.sqrt(variance)).toBeLessThan(0.0103);
    }
    for (const name of ['rnn.bias_ih_l0', 'rnn.bias_hh_l1', 'head.bias']) {
      expect((await parameters.get(name)!.data()).every((value) => value === 0)).toBe(true);
    }
    const loss = await scope(() => {
      const tokens = Int32Array.from({ length: 35 * 32 }, (_, index) => index % 28);
      const { logits, state } = model.forward(tensor(tokens, { shape: [35, 32] }));
      expect(logits.shape).toEqual([35, 32, 28]);
      expect(state.h.shape).toEqual([2, 32, 256]);
      return crossEntropy(logits, tensor(tokens, { shape: [35, 32] })).item();
    });
    expect(loss).toBeCloseTo(Math.log(28), 3);
  });

  test('one-hot input equals an embedding by the identity', async () => {
    const oneHot = lively(modelOf(new DeepGRU({ hiddenSize: 6 })));
    const embedded = modelOf(new DeepGRU({ hiddenSize: 6 }), { embedding: letters.size });
    const state = await oneHot.stateDict();
    const identity = new Float32Array(letters.size ** 2);
    for (let id = 0; id < letters.size; ++id) identity[id * (letters.size + 1)] = 1;
    state.set('embedding.weight', { dtype: 'float32', shape: [letters.size, letters.size], data: identity });
    embedded.loadStateDict(state);
    const ids = letters.encode('the same either way');
    const [a, b] = [await logitsAfter(oneHot, ids), await logitsAfter(embedded, ids)];
    a.forEach((row, t) => {
      row.forEach((value, id) => {
        expect(b[t][id]).toBeCloseTo(value, 5);
      });
    });
  });

  test('tied weights are one parameter with the gradients of both uses', async () => {
    const model = modelOf(new DeepGRU({ hiddenSize: 8 }), { embedding: 8, tied: true });
    expect(model.head.weight).toBe(model.embedding!.weight);
    expect([...model.namedParameters().keys()]).not.toContain('head.weight');
    expect(model.parameterCount).toBe(28 * 8 + 28 + 2 * 3 * 8 * 8 + 2 * 3 * 8);
  });

  test('dropout applies only while training', async () => {
    const model = modelOf(new DeepGRU({ hiddenSize: 32 }), { dropout: 0.5 });
    const ids = letters.encode('dropout');
    expect(await logitsAfter(model, ids)).not.toEqual(await logitsAfter(model, ids));
    model.eval();
    expect(await logitsAfter(model, ids)).toEqual(await logitsAfter(model, ids));
  });
});

describe('generate', () => {
  test.each(VARIANTS)('greedy, %s: the argmax of forward, token by token', async (_, build) => {
    const model = lively(build()).eval();
    const chosen = new Set<number>();
    for (const prefix of ['a', 'the quick brown', 'fox', 'jumps over', 'zzz', 'lazy dog', 'qwerty', ' ']) {
      const text = await model.generate(prefix, { length: 12 });
      expect(text.startsWith(prefix)).toBe(true);
      const ids = model.vocabulary.encode(text.replaceAll('<unk>', '?'));
      expect(ids).toHaveLength(prefix.length + 12);
      const rows = await logitsAfter(model, ids);
      const added = ids.subarray(prefix.length);
      expect([...added]).toEqual(rows.slice(prefix.length - 1, -1).map(likeliest));
      for (const id of added) chosen.add(id);
    }
    // Else the equality would say little.
    expect(chosen.size).toBeGreaterThan(2);
  });

  test.each(VARIANTS)('drawing, %s: repeats with the seed, and one token is no choice', async (_, build) => {
    const model = lively(build());
    const draw = (options: GenerationOptions) => model.generate('ab', { length: 40, temperature: 1, ...options });
    expect(await draw({ seed: 5 })).toBe(await draw({ seed: 5 }));
    expect(await draw({ seed: 5 })).not.toBe(await draw({ seed: 6 }));
    const greedy = await model.generate('ab', { length: 40 });
    expect(await draw({ topK: 1 })).toBe(greedy);
    expect(await draw({ topP: 1e-9 })).toBe(greedy);
  });

  test('streaming gives the same text, over several chunks', async () => {
    const model = lively(modelOf(new DeepLSTM({ hiddenSize: 12, layers: 2 })));
    for (const options of [{ length: 61 }, { length: 2000, temperature: 1.3, topK: 9, topP: 0.9, seed: 2 }]) {
      const pieces: string[] = [];
      for await (const piece of model.stream('once', options)) pieces.push(piece);
      expect(pieces).toHaveLength(options.length);
      expect(`once${pieces.join('')}`).toBe(await model.generate('once', options));
    }
  });

  test('a stream may be left early', async () => {
    const model = modelOf(new DeepLSTM({ hiddenSize: 12 }));
    const held = buffers();
    for await (const piece of model.stream('a', { length: 1000 })) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(buffers()).toBe(held);
  });

  test('words are joined by spaces, unknown ones count as <unk>', async () => {
    const model = lively(modelOf(new DeepRNN({ hiddenSize: 9 }), { vocabulary: words }));
    const text = await model.generate('to be', { length: 5 });
    expect(text).toMatch(/^to be( \S+){5}$/);
    const continuation = async (prefix: string) => (await model.generate(prefix, { length: 8 })).slice(prefix.length);
    expect(await continuation('to sleep')).toBe(await continuation('to perchance'));
  });

  describe('with known probabilities', () => {
    // Without weights the logits are the bias, whatever came before.
    const PROBABILITIES = [0.4, 0.3, 0.2, 0.1];
    const LENGTH = 4000;
    async function frequencies(options: GenerationOptions): Promise<number[]> {
      const vocabulary = new Vocabulary('wxyz');
      const model = modelOf(new DeepRNN({ hiddenSize: 4 }), { vocabulary }).initialize(normal(0));
      // <unk> is as good as impossible.
      model.head.bias!.copyFrom([-50, ...PROBABILITIES.map(Math.log)]);
      const text = await model.generate('w', { length: LENGTH, temperature: 1, seed: 11, ...options });
      return ['w', 'x', 'y', 'z'].map((letter) => (text.split(letter).length - 1 - (letter === 'w' ? 1 : 0)) / LENGTH);
    }
    function expectClose(found: number[], probabilities: number[]): void {
      probabilities.forEach((p, index) => {
        expect(Math.abs(found[index] - p)).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / LENGTH));
      });
    }
    const normalised = (weights: number[]) => weights.map((one) => one / weights.reduce((a, b) => a + b));

    test('temperature 1 draws from the model', async () => {
      expectClose(await frequencies({}), PROBABILITIES);
    });

    test('temperature 0.5 squares, 2 takes roots', async () => {
      expectClose(await frequencies({ temperature: 0.5 }), normalised(PROBABILITIES.map((p) => p ** 2)));
      expectClose(await frequencies({ temperature: 2 }), normalised(PROBABILITIES.map(Math.sqrt)));
    });

    test('topK and topP cut the tail off', async () => {
      expectClose(await frequencies({ topK: 2 }), normalised([0.4, 0.3, 0, 0]));
      expectClose(await frequencies({ topP: 0.6 }), normalised([0.4, 0.3, 0, 0]));
      expectClose(await frequencies({ topP: 0.8 }), normalised([0.4, 0.3, 0.2, 0]));
      expectClose(await frequencies({ topK: 3, topP: 0.3 }), [1, 0, 0, 0]);
    });
  });

  test('misuse is named', async () => {
    const model = modelOf(new DeepRNN({ hiddenSize: 4 }));
    await expect(model.generate('')).rejects.toThrow('Expected a text with at least one token for prefix');
    await expect(model.generate(7 as never)).rejects.toThrow(ArgumentError);
    for (const options of [
      { length: 0 },
      { length: 2.5 },
      { temperature: -1 },
      { temperature: Number.NaN },
      { topK: 0 },
      { topP: 0 },
      { topP: 1.5 },
      { seed: -1 },
      { maxLength: 3 },
    ]) {
      await expect(model.generate('a', options as never), JSON.stringify(options)).rejects.toThrow(ArgumentError);
    }
  });
});

describe('save and load', () => {
  test.each(VARIANTS)('%s comes back whole', async (_, build) => {
    const model = lively(build()).eval();
    const path = join(folder, 'model.safetensors');
    await model.save(path);
    const copy = await LanguageModel.load(path);
    open.push(copy);
    copy.eval();
    expect(copy.vocabulary.toJSON()).toEqual(model.vocabulary.toJSON());
    expect(await copy.stateDict()).toEqual(await model.stateDict());
    const ids = letters.encode('it comes back whole');
    expect(await logitsAfter(copy, ids)).toEqual(await logitsAfter(model, ids));
    const options = { length: 30, temperature: 1, seed: 4 };
    expect(await copy.generate('a', options)).toBe(await model.generate('a', options));
    expect(copy.train().training).toBe(true);
    expect(copy.rnn.dropout).toBe(model.rnn.dropout);
  });

  test("weights carry PyTorch's names", async () => {
    const model = modelOf(new DeepLSTM({ hiddenSize: 3 }));
    const path = join(folder, 'names.safetensors');
    await model.save(path);
    const { tensors, metadata } = decodeSafetensors(readFileSync(path));
    expect(metadata.format).toBe('pt');
    expect([...tensors].map(([name, { shape }]) => [name, shape]).sort()).toEqual([
      ['head.bias', [28]],
      ['head.weight', [28, 3]],
      ['rnn.bias_hh_l0', [12]],
      ['rnn.bias_ih_l0', [12]],
      ['rnn.weight_hh_l0', [12, 3]],
      ['rnn.weight_ih_l0', [12, 28]],
    ]);
  });

  test('a file that names no precision has that of its dtype', async () => {
    const model = modelOf(new DeepGRU({ hiddenSize: 3 }));
    const path = join(folder, 'precision.safetensors');
    await model.save(path);
    const { tensors, metadata } = decodeSafetensors(readFileSync(path));
    const key = 'deep_rnn.language_model';
    const { precision, ...stack } = JSON.parse(metadata[key]).stack;
    expect(precision).toBe('float32');
    const config = { ...JSON.parse(metadata[key]), stack };
    writeFileSync(path, encodeSafetensors(tensors, { ...metadata, [key]: JSON.stringify(config) }));
    using copy = await LanguageModel.load(path);
    expect(copy.rnn.precision).toBe('float32');
    await expect(LanguageModel.load(path, { precision: 'half' as never })).rejects.toThrow('for precision');
  });

  test('loads onto another device', async () => {
    const path = join(folder, 'device.safetensors');
    const model = lively(modelOf(new DeepGRU({ hiddenSize: 5 })));
    await model.save(path);
    using other = device('cpu', { threads: 1 });
    using copy = await LanguageModel.load(path, { device: other });
    expect(copy.device).toBe(other);
    expect(await copy.generate('abc')).toBe(await model.generate('abc'));
  });

  test('refuses files that are no language model', async () => {
    const model = modelOf(new DeepGRU({ hiddenSize: 3 }));
    const path = join(folder, 'good.safetensors');
    await model.save(path);
    const { tensors, metadata } = decodeSafetensors(readFileSync(path));
    const key = 'deep_rnn.language_model';
    const config = JSON.parse(metadata[key]);
    const broken = join(folder, 'broken.safetensors');
    const refusal = async (changed: Record<string, string>, kept = tensors) => {
      writeFileSync(broken, encodeSafetensors(kept, changed));
      const held = buffers();
      const loading = LanguageModel.load(broken);
      await expect(loading).rejects.toThrow(ArgumentError);
      await expect(loading).rejects.toThrow(broken);
      expect(buffers()).toBe(held);
      return loading.catch(({ message }: Error) => message);
    };
    const withConfig = (changes: object) => ({ ...metadata, [key]: JSON.stringify({ ...config, ...changes }) });
    expect(await refusal({ format: 'pt' })).toContain('Expected a language model saved by deep-rnn');
    expect(await refusal({ ...metadata, [key]: '{' })).toContain('Expected JSON');
    expect(await refusal({ ...metadata, [key]: 'null' })).toContain('Expected an object');
    expect(await refusal(withConfig({ version: 2 }))).toContain('version');
    expect(await refusal(withConfig({ stack: null }))).toContain('stack');
    expect(await refusal(withConfig({ stack: { ...config.stack, cell: 'mgu' } }))).toContain('cell');
    expect(await refusal(withConfig({ stack: { ...config.stack, hiddenSize: 4 } }))).toContain('shape');
    expect(await refusal(withConfig({ colour: 'red' }))).toContain('colour');
    expect(await refusal({ ...metadata, 'deep_rnn.vocabulary': '{}' })).toContain('vocabulary.kind');
    const fewer = new Map(tensors);
    fewer.delete('head.bias');
    expect(await refusal(metadata, fewer)).toContain('head.bias');
    writeFileSync(broken, 'no safetensors file');
    await expect(LanguageModel.load(broken)).rejects.toThrow(ArgumentError);
    await expect(LanguageModel.load(join(folder, 'nowhere'))).rejects.toThrow('ENOENT');
  });
});

describe('misuse of the constructor', () => {
  const refused = (rnn: RecurrentStack, options: object = {}) => {
    open.push(rnn);
    return () => modelOf(rnn, options);
  };

  test('is named', () => {
    const hiddenSize = 4;
    expect(refused(new DeepRNN({ hiddenSize, bidirectional: true }))).toThrow('Expected one direction only');
    expect(refused(new DeepRNN({ hiddenSize, batchFirst: true }))).toThrow('Expected a time-major stack');
    expect(refused(new DeepRNN({ hiddenSize, inputSize: 5 }))).toThrow('Expected 28 for rnn.inputSize but received 5');
    expect(refused(new DeepRNN({ hiddenSize }), { embedding: 5, tied: true })).toThrow('output size 4');
    expect(refused(new DeepRNN({ hiddenSize }), { tied: true })).toThrow('output size 4');
    expect(refused(new DeepRNN({ hiddenSize: 28, inputMode: 'skip' }))).toThrow('skip input takes vectors');
    expect(refused(new DeepRNN({ hiddenSize }), { embedding: 0 })).toThrow(ArgumentError);
    expect(refused(new DeepRNN({ hiddenSize }), { dropout: 1 })).toThrow(ArgumentError);
    expect(refused(new DeepRNN({ hiddenSize }), { vocabulary: 28 })).toThrow('Expected a Vocabulary');
    expect(refused(new DeepRNN({ hiddenSize }), { vocab: 28 })).toThrow(ArgumentError);
    expect(() => new LanguageModel({} as never, { vocabulary: letters })).toThrow(
      'Expected a DeepRNN, DeepGRU or DeepLSTM',
    );
  });
});
