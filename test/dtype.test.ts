import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  arrayFor,
  bytesPer,
  checkDType,
  checkFloatDType,
  DTYPES,
  isFloat,
  shapeOfNested,
  toElements,
  toNested,
} from '../src/dtype.js';

it('agrees with the typed arrays on sizes', () => {
  for (const dtype of DTYPES) expect(new (arrayFor(dtype))(3).byteLength).toBe(3 * bytesPer(dtype));
  expect(DTYPES.map(isFloat)).toEqual([true, true, false]);
});

it('rejects names that are no dtype', () => {
  expect(checkDType('int32')).toBe('int32');
  expect(() => checkDType('float')).toThrow(
    "Expected one of 'float32', 'float64', 'int32' for dtype but received \"float\"",
  );
  expect(() => checkFloatDType('int32', 'kind')).toThrow("Expected one of 'float32', 'float64' for kind");
});

describe('nested numbers', () => {
  it('come back as they were', () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(shapes, (shape) => {
        const size = shape.reduce((product, count) => product * count, 1);
        const elements = Float64Array.from({ length: size }, (_, i) => i);
        const nested = toNested(elements, shape);
        expect(shapeOfNested(nested, 'data')).toEqual(shape);
        expect(toElements(nested, 'float64', 'data')).toEqual(elements);
      }),
    );
  });

  it('are converted, and refused as integers when they are none', () => {
    expect(toElements([0.1], 'float32', 'data')).toEqual(Float32Array.of(0.1));
    expect(toElements(Float64Array.of(2), 'int32', 'data')).toEqual(Int32Array.of(2));
    expect(() => toElements(Float32Array.of(0.5), 'int32', 'data')).toThrow(
      'Expected 32-bit integers for data but received 0.5',
    );
  });
});
