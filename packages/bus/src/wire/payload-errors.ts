import { serialize } from 'node:v8';

/** First byte of a payload in which errors carry more than V8 writes of them. */
const ERRORS_MARK = 1;

/** What V8 writes of an error by itself. `name` it writes for the names of the language only. */
const WRITTEN: ReadonlySet<string> = new Set(['message', 'stack', 'cause']);

type Extras = Record<string, unknown>;

/**
 * V8 clones message, stack and cause of an error, and drops what is put on it: its code, its details. They travel beside the value, in one
 * serialisation, so each list entry is the very error inside it. Undefined: no error here carries anything more.
 * @throws DataCloneError for what cannot be cloned
 */
export function packErrors(payload: unknown): Uint8Array | undefined {
  const carried: [Error, Extras][] = [];
  for (const error of errorsIn(payload)) {
    const keys = Object.keys(error).filter((key) => !WRITTEN.has(key));
    if (error instanceof AggregateError) keys.push('errors');
    if (keys.length > 0) carried.push([error, Object.fromEntries(keys.map((key) => [key, (error as never)[key]]))]);
  }
  if (carried.length === 0) return undefined;
  const body = serialize([payload, carried]);
  const packed = new Uint8Array(body.byteLength + 1);
  packed[0] = ERRORS_MARK;
  packed.set(body, 1);
  return packed;
}

export function readErrors(packed: Uint8Array, read: (bytes: Uint8Array) => unknown): unknown {
  if (packed[0] !== ERRORS_MARK) throw new Error(`it begins with ${packed[0]}`);
  const [payload, carried] = read(packed.subarray(1)) as [unknown, [Error, Extras][]];
  for (const [error, extras] of carried) {
    for (const [key, value] of Object.entries(extras))
      Object.defineProperty(error, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return payload;
}

/** Every error within, each once; circles end. */
function errorsIn(payload: unknown): Error[] {
  const found: Error[] = [];
  const seen = new Set<object>();
  const open: unknown[] = [payload];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Map) for (const [key, item] of value) open.push(key, item);
    else if (value instanceof Set) for (const item of value) open.push(item);
    else if (value instanceof Error) {
      found.push(value);
      open.push(value.cause, (value as Partial<AggregateError>).errors, ...Object.values(value));
    } else for (const key in value) open.push((value as Extras)[key]);
  }
  return found;
}
