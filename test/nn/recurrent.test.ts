import { describe, expect, it } from 'vitest';
import type { FloatDType } from '../../src/dtype.js';
import { CELLS, type CellName, RECURRENT_CASES, type RecurrentCase } from '../cases/recurrent.js';
import { expectClose } from '../helpers/close.js';
import { loadFixture, under } from '../helpers/fixtures.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { drawNumbers, type RecurrentNumbers, type Results, runStack, runTwin } from '../helpers/recurrent.js';

expectNoLeaks();

const FIXTURE = new Map(CELLS.map((cell) => [cell, loadFixture(`${cell.replace('_', '-')}.safetensors`)]));

function fixtureOf(options: RecurrentCase): { numbers: RecurrentNumbers; wanted: Results } {
  const values = under(FIXTURE.get(options.cell)!, `${options.name}/`);
  const weights = under(values, 'weights/');
  const isResult = (name: string) => ['output', 'h', 'c'].includes(name) || name.startsWith('grad/');
  const isInput = (name: string) => !isResult(name) && !name.startsWith('weights/');
  return {
    numbers: { weights, values: new Map([...values].filter(([name]) => isInput(name))) },
    wanted: new Map([...values].filter(([name]) => isResult(name)).map(([name, { data }]) => [name, data])),
  };
}

function expectResults(actual: Results, wanted: Results, dtype: FloatDType): void {
  expect([...actual.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [name, values] of wanted) {
    try {
      expectClose(actual.get(name), values, 'recurrent', dtype);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    }
  }
}

const of = (cell: CellName, oracle: RecurrentCase['oracle']) =>
  RECURRENT_CASES.filter((options) => options.cell === cell && options.oracle === oracle);

describe.each(CELLS)('%s', (cell) => {
  describe.each(of(cell, 'torch'))('$name', (options) => {
    const { numbers, wanted } = fixtureOf(options);

    it('equals PyTorch in float64: outputs, final states, every gradient', async () => {
      expectResults(await runStack(options, 'float64', numbers), wanted, 'float64');
    });

    it('equals PyTorch in float32', async () => {
      expectResults(await runStack(options, 'float32', numbers), wanted, 'float32');
    });

    it('has a twin that equals PyTorch', async () => {
      expectResults(await runTwin(options, numbers), wanted, 'float64');
    });
  });

  describe.each(of(cell, 'twin'))('$name', (options) => {
    it('equals its twin: outputs, final states, every gradient', async () => {
      const numbers = drawNumbers(options);
      const wanted = await runTwin(options, numbers);
      expectResults(await runStack(options, 'float64', numbers), wanted, 'float64');
      expectResults(await runStack(options, 'float32', numbers), wanted, 'float32');
    });
  });
});
