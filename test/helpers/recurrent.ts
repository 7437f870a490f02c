/** Runs a recurrent case, natively or by the twin, and returns outputs, final states and every gradient by name. */
import { expect } from 'vitest';
import type { FloatDType } from '../../src/dtype.js';
import type { HostTensor, StateDict } from '../../src/io/safetensors.js';
import { add, mul, sum, tensor } from '../../src/ops/index.js';
import { scope } from '../../src/scope.js';
import { backward } from '../../src/tape.js';
import type { Tensor } from '../../src/tensor.js';
import { CELLS, directions, makeStack, outputSize, type RecurrentCase } from '../cases/recurrent.js';
import { expectClose } from './close.js';
import { loadFixture, under, uniformDraws } from './fixtures.js';
import { twin } from './twin.js';

/**
 * Inputs of a case: x or tokens, h0 and c0 when given, and doutput, dh, dc, the weights of a loss
 * sum(output · doutput) + sum(h · dh) + sum(c · dc).
 */
export interface RecurrentNumbers {
  weights: StateDict;
  values: StateDict;
}

/** Results by name: output, h, c, grad/x, grad/h0, grad/c0 and grad/<parameter>. */
export type Results = Map<string, HostTensor['data']>;

/** Numbers for a case drawn from fixed streams, in (-0.5, 0.5) for weights and (-1, 1) for the rest. */
export function drawNumbers(options: RecurrentCase): RecurrentNumbers {
  let stream = 100;
  const draw = (shape: readonly number[], scale = 1): HostTensor => {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    return { dtype: 'float64', shape, data: uniformDraws(stream++, size).map((value) => value * scale) };
  };
  const stack = makeStack(options, 'float64');
  const weights: StateDict = new Map();
  for (const [name, parameter] of stack.namedParameters()) weights.set(name, draw(parameter.shape, 0.5));
  stack.dispose();
  const { steps, batch, inputSize, hiddenSize, layers } = options;
  const edge = options.batchFirst ? [batch, steps] : [steps, batch];
  const rows = layers * directions(options);
  const values: StateDict = new Map();
  if (options.tokens) {
    const { data } = draw(edge);
    values.set('tokens', {
      dtype: 'int32',
      shape: edge,
      data: Int32Array.from(data, (value) => Math.floor(((value + 1) / 2) * inputSize)),
    });
  } else {
    values.set('x', draw([...edge, inputSize]));
  }
  const h = [rows, batch, outputSize(options)];
  const c = [rows, batch, hiddenSize];
  const isLstm = options.cell === 'lstm';
  if (options.initialState) {
    values.set('h0', draw(h));
    if (isLstm) values.set('c0', draw(c));
  }
  values.set('doutput', draw([...edge, directions(options) * outputSize(options)]));
  values.set('dh', draw(h));
  if (isLstm) values.set('dc', draw(c));
  return { weights, values };
}

const FIXTURE = new Map(CELLS.map((cell) => [cell, loadFixture(`${cell.replace('_', '-')}.safetensors`)]));

/** What PyTorch computes of a case, and from which numbers. */
export function fixtureOf(options: RecurrentCase): { numbers: RecurrentNumbers; wanted: Results } {
  const values = under(FIXTURE.get(options.cell)!, `${options.name}/`);
  const weights = under(values, 'weights/');
  const isResult = (name: string) => ['output', 'h', 'c'].includes(name) || name.startsWith('grad/');
  const isInput = (name: string) => !isResult(name) && !name.startsWith('weights/');
  return {
    numbers: { weights, values: new Map([...values].filter(([name]) => isInput(name))) },
    wanted: new Map([...values].filter(([name]) => isResult(name)).map(([name, { data }]) => [name, data])),
  };
}

/** Fails unless all results are there and close to what is wanted. */
export function expectResults(actual: Results, wanted: Results, dtype: FloatDType, where = ''): void {
  expect([...actual.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [name, values] of wanted) {
    try {
      expectClose(actual.get(name), values, 'recurrent', dtype);
    } catch (error) {
      throw new Error(`${where}${name}: ${(error as Error).message}`);
    }
  }
}

/** The case through the native operation. */
export function runStack(
  options: RecurrentCase,
  dtype: FloatDType,
  { weights, values }: RecurrentNumbers,
): Promise<Results> {
  const stack = makeStack(options, dtype);
  stack.loadStateDict(weights);
  const results = scope(() => {
    const { x, h0, c0, ...rest } = leaves(values, dtype);
    const { output, state } = stack.forward(x ?? rest.tokens, {
      state: h0 && { h: h0, ...(c0 && { c: c0 }) },
      lengths: options.lengths ?? undefined,
    });
    return collect({ output, ...state }, rest, { x, h0, c0, ...Object.fromEntries(stack.namedParameters()) });
  });
  stack.dispose();
  return gather(results);
}

/** The case through the composed twin, in float64. */
export function runTwin(options: RecurrentCase, { weights, values }: RecurrentNumbers): Promise<Results> {
  const results = scope(() => {
    const { x, h0, c0, ...rest } = leaves(values, 'float64');
    const parameters = leaves(weights, 'float64');
    const outputs = twin(options, new Map(Object.entries(parameters)), {
      x: x ?? rest.tokens,
      h0,
      c0,
      lengths: options.lengths ?? undefined,
    });
    return collect({ ...outputs }, rest, { x, h0, c0, ...parameters });
  });
  return gather(results);
}

type Named = Record<string, Tensor>;

function leaves(values: StateDict, dtype: FloatDType): Named {
  return Object.fromEntries(
    [...values].map(([name, { shape, data, dtype: stored }]) => {
      const isInput = stored !== 'int32' && !name.startsWith('d');
      return [name, tensor(data, { shape, dtype: stored === 'int32' ? 'int32' : dtype, requiresGrad: isInput })];
    }),
  );
}

type Reads = [string, Promise<HostTensor['data']>][];

/** Back-propagates the loss and starts reading all results. */
function collect(
  outputs: Record<string, Tensor | undefined>,
  values: Named,
  inputs: Record<string, Tensor | undefined>,
): Reads {
  const reads: Reads = [];
  let loss: Tensor | undefined;
  for (const [name, value] of Object.entries(outputs)) {
    if (!value) continue;
    const term = sum(mul(value, values[`d${name}`]));
    loss = loss ? add(loss, term) : term;
    reads.push([name, value.data()]);
  }
  backward(loss!);
  for (const [name, value] of Object.entries(inputs)) {
    // A leaf that nothing depends on, such as x when all lengths are zero, may have no gradient: zero.
    if (value)
      reads.push([`grad/${name}`, value.grad ? value.grad.data() : Promise.resolve(new Float64Array(value.size))]);
  }
  return reads;
}

async function gather(reads: Reads): Promise<Results> {
  return new Map(
    await Promise.all(reads.map(async ([name, data]): Promise<[string, HostTensor['data']]> => [name, await data])),
  );
}
