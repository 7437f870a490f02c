import { describe, expect, test } from 'vitest';
import { Arguments, UsageError } from '../../src/cli/arguments.js';

const TYPES = {
  layers: { type: 'string' },
  rate: { type: 'string' },
  cell: { type: 'string' },
  quiet: { type: 'boolean' },
} as const;
const parse = (...args: string[]) => new Arguments(args, TYPES);

describe('Arguments', () => {
  test('values, defaults and positionals', () => {
    const options = parse('a.txt', '--layers', '3', '--rate=1e-3', 'b.txt', '--quiet');
    expect(options.positionals).toEqual(['a.txt', 'b.txt']);
    expect(options.integer('layers', 1, 2)).toBe(3);
    expect(options.number('rate', 0, 1)).toBe(0.001);
    expect(options.choice('cell', ['lstm', 'gru'], 'gru')).toBe('gru');
    expect(options.flag('quiet')).toBe(true);
    expect([options.has('rate'), options.has('cell')]).toEqual([true, false]);
    expect(options.string('cell')).toBeUndefined();
    expect(parse().integer('layers', 1)).toBeUndefined();
  });

  test('mistakes name the option', () => {
    expect(() => parse('--layer', '3')).toThrow(UsageError);
    expect(() => parse('--layer', '3')).toThrow('--layer');
    expect(() => parse('--layers')).toThrow(UsageError);
    for (const value of ['0', '1.5', 'two', '', 'NaN', 'Infinity', '9007199254740993']) {
      expect(() => parse(`--layers=${value}`).integer('layers', 1, 2), value).toThrow(
        `Expected an integer of at least 1 for --layers but received ${JSON.stringify(value)}`,
      );
    }
    expect(() => parse('--rate=-1').number('rate', 0, 1)).toThrow('Expected a number of at least 0 for --rate');
    expect(() => parse('--rate= ').number('rate', 0, 1)).toThrow(UsageError);
    expect(() => parse('--cell', 'LSTM').choice('cell', ['lstm', 'gru'], 'gru')).toThrow('one of lstm, gru');
  });
});
