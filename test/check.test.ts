import { describe, expect, it } from 'vitest';
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOptions,
  checkString,
} from '../src/check.js';
import { ArgumentError } from '../src/errors.js';

describe('checkInteger', () => {
  it('accepts integers within its bounds, both ends included', () => {
    expect([1, 5].map((value) => checkInteger(value, 'n', { min: 1, max: 5 }))).toEqual([1, 5]);
    expect(checkInteger(-Number.MAX_SAFE_INTEGER, 'n')).toBe(-Number.MAX_SAFE_INTEGER);
  });

  it.each([NaN, Infinity, 1.5, 0, 6, '3', null, undefined, 3n, [3], {}])('rejects %s', (value) => {
    expect(() => checkInteger(value, 'n', { min: 1, max: 5 })).toThrow(ArgumentError);
    expect(() => checkInteger(value, 'n', { min: 1, max: 5 })).toThrow(
      /^Expected an integer from 1 to 5 for n but received /,
    );
  });

  it('rejects integers that doubles cannot hold', () => {
    expect(() => checkInteger(2 ** 53, 'n')).toThrow('Expected an integer for n but received 9007199254740992');
  });
});

describe('checkNumber', () => {
  it('tells allowed ends from excluded ones', () => {
    expect(checkNumber(0, 'x', { min: 0, below: 1 })).toBe(0);
    expect(() => checkNumber(1, 'x', { min: 0, below: 1 })).toThrow(
      'Expected a finite number at least 0 and below 1 for x but received 1',
    );
    expect(() => checkNumber(0, 'x', { above: 0 })).toThrow('Expected a finite number above 0 for x but received 0');
    expect(() => checkNumber(2, 'x', { max: 1 })).toThrow('Expected a finite number at most 1 for x but received 2');
  });

  it.each([NaN, Infinity, -Infinity, '1', null, undefined, true])('rejects %s', (value) => {
    expect(() => checkNumber(value, 'x')).toThrow(/^Expected a finite number for x but received /);
  });
});

it('checks booleans, strings, functions and choices', () => {
  const call = () => 1;
  expect([checkBoolean(false, 'flag'), checkString('', 'text'), checkFunction(call, 'call')]).toEqual([
    false,
    '',
    call,
  ]);
  expect(checkChoice('b', 'letter', ['a', 'b'])).toBe('b');
  expect(() => checkBoolean(0, 'flag')).toThrow('Expected true or false for flag but received 0');
  expect(() => checkString(1, 'text')).toThrow('Expected a string for text but received 1');
  expect(() => checkFunction('f', 'call')).toThrow('Expected a function for call but received "f"');
  expect(() => checkChoice('c', 'letter', ['a', 'b'])).toThrow(
    "Expected one of 'a', 'b' for letter but received \"c\"",
  );
});

describe('checkOptions', () => {
  it('suggests the nearest name for a misspelt one', () => {
    expect(() => checkOptions({ hidenSize: 1 }, 'options', ['layers', 'hiddenSize'])).toThrow(
      'Expected only the options layers, hiddenSize (did you mean \'hiddenSize\'?) for options but received "hidenSize"',
    );
  });

  it('suggests nothing for what resembles no name', () => {
    expect(() => checkOptions({ colour: 1 }, 'options', ['layers'])).toThrow(
      'Expected only the options layers for options but received "colour"',
    );
  });

  it.each([null, undefined, 3, 'x', [], new Float32Array(1)])('rejects %s instead of options', (value) => {
    expect(() => checkOptions(value, 'options', [])).toThrow(
      /^Expected an object of options for options but received /,
    );
  });
});
