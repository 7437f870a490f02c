/** The error classes of the package and the one function that words every rejected argument. */

/** Base of every error that this package throws on purpose. */
export class DeepRnnError extends Error {
  /** The name of the class. */
  override name = 'DeepRnnError';
}

/** An argument has the wrong type, value or dtype. */
export class ArgumentError extends DeepRnnError {
  /** The name of the class. */
  override name = 'ArgumentError';
}

/** Shapes do not fit the operation or each other. */
export class ShapeError extends ArgumentError {
  /** The name of the class. */
  override name = 'ShapeError';
}

/** A tensor, module or device is used after it was disposed or its scope ended. */
export class FreedError extends DeepRnnError {
  /** The name of the class. */
  override name = 'FreedError';
}

/** The device failed: out of memory, a failing kernel, a closed device, or no such device. */
export class DeviceError extends DeepRnnError {
  /** The name of the class. */
  override name = 'DeviceError';
}

/** A value as it appears in messages: short, unambiguous, never throwing. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return value.name ? `function ${value.name}` : 'a function';
  if (Array.isArray(value)) {
    const shown = value.slice(0, 8).map((item) => (Array.isArray(item) ? '[...]' : describe(item)));
    return `[${shown.join(', ')}${value.length > 8 ? `, ... ${value.length} items` : ''}]`;
  }
  if (ArrayBuffer.isView(value)) {
    const length = (value as unknown as { length?: number }).length ?? value.byteLength;
    return `${value.constructor.name}(${length})`;
  }
  if (typeof value === 'object' && value !== null) {
    const name = value.constructor?.name;
    return name && name !== 'Object' ? `an instance of ${name}` : 'an object';
  }
  return String(value);
}

type ErrorClass = new (message: string) => DeepRnnError;

/**
 * The error for a rejected argument, in the one wording of this package.
 *
 * @param what What would have been accepted, such as `a positive integer`.
 * @param name The argument's name, such as `hiddenSize`.
 * @param actual The value received.
 */
export function expected(what: string, name: string, actual: unknown, ErrorType: ErrorClass = ArgumentError): Error {
  return new ErrorType(`Expected ${what} for ${name} but received ${describe(actual)}`);
}
