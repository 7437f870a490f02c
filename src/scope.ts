/** Scopes: what is made inside one is freed at its end, unless it is returned or kept. */
import { checkFunction } from './check.js';
import { ArgumentError, expected } from './errors.js';
import { exchangeOwner, isRead, Tensor, type TensorOwner } from './tensor.js';

/** A scope that is running, and the one around it. */
interface Frame {
  owner: TensorOwner;
  parent: Frame | null;
}

let current: Frame | null = null;

/**
 * Runs `body` and frees every tensor made inside, except those found in what it returns (tensors, also nested in arrays,
 * plain objects, Maps and Sets) and those passed to {@link keep}; they move to the scope around, if any.
 *
 * `body` must be synchronous. It may return the promise of a read (`data()`, `item()`, `array()`): the read comes before the
 * frees on the device.
 *
 * @throws ArgumentError when `body` returns any other promise, as an async function does. Whatever `body` throws passes
 *   through after everything made inside was freed.
 * @example
 * const loss: Promise<number> = scope(() => tensor([1, 2, 3]).square().sum().item());
 */
export function scope<T>(body: () => T): T {
  checkFunction(body, 'scope');
  const frame = open();
  let result: T;
  try {
    result = body();
    checkSynchronous(result, 'scope');
    const returned = tensorsIn(result);
    for (const tensor of returned) if (tensor.currentOwner === frame.owner) tensor.moveTo(frame.parent?.owner ?? null);
  } finally {
    close(frame);
  }
  return result;
}

/**
 * Saves a tensor from the end of the current scope: it moves to the scope around, or, from the outermost, lives until it is
 * disposed or garbage.
 *
 * @example
 * let state = zeros([2]);
 * scope(() => {
 *   state = keep(state.add(1));
 * });
 */
export function keep<T extends Tensor>(tensor: T): T {
  if (!(tensor instanceof Tensor)) throw expected('a tensor', 'keep', tensor);
  tensor.checkAlive();
  if (current !== null && tensor.currentOwner === current.owner) tensor.moveTo(current.parent?.owner ?? null);
  return tensor;
}

/** @internal Runs `body` as if outside of all scopes: for what outlives a step, such as parameters. */
export function untracked<T>(body: () => T): T {
  const frame = current;
  const owner = exchangeOwner(null);
  current = null;
  try {
    return body();
  } finally {
    current = frame;
    exchangeOwner(owner);
  }
}

/**
 * Rejects promises that are not our reads: work after an `await` would run outside.
 *
 * @throws ArgumentError
 */
export function checkSynchronous(result: unknown, name: string): void {
  if (typeof result !== 'object' || result === null) return;
  if (typeof (result as { then?: unknown }).then !== 'function' || isRead(result)) return;
  // The promise of an async function may reject later; that is part of the same mistake, and must not end the process.
  Promise.resolve(result).catch(() => {});
  throw new ArgumentError(
    `Expected a synchronous function for ${name} but received one that returns a promise; await outside of it, and return ` +
      'the promises of data(), item() and array() as they are, alone or in an array',
  );
}

function open(): Frame {
  const frame: Frame = { owner: new Set(), parent: current };
  current = frame;
  exchangeOwner(frame.owner);
  return frame;
}

function close(frame: Frame): void {
  current = frame.parent;
  exchangeOwner(frame.parent?.owner ?? null);
  for (const tensor of frame.owner) tensor.end('scope ended');
}

function tensorsIn(value: unknown): Set<Tensor> {
  const found = new Set<Tensor>();
  const seen = new Set<object>();
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof Tensor) found.add(next);
    else if (next instanceof Map) for (const entry of next) pending.push(entry[0], entry[1]);
    else if (Array.isArray(next) || next instanceof Set) for (const entry of next) pending.push(entry);
    else if (isPlainObject(next)) for (const entry of Object.values(next)) pending.push(entry);
  }
  return found;
}

function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
