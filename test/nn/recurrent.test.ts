import { describe, it } from 'vitest';
import { CELLS, type CellName, RECURRENT_CASES, type RecurrentCase } from '../cases/recurrent.js';
import { expectNoLeaks } from '../helpers/leaks.js';
import { drawNumbers, expectResults, fixtureOf, runStack, runTwin } from '../helpers/recurrent.js';

expectNoLeaks();

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
