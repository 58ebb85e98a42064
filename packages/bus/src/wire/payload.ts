import { deserialize, serialize } from 'node:v8';
import { GraceError } from '@grace/contracts';

/** A payload ready to travel: small plain data as a copy, everything else as `Uint8Array` in V8's structured-clone form. */
export interface Packed {
  value: unknown;
  /** Exact for encoded payloads; for plain ones 8 per number, the length of strings and keys, 1 for the rest, 8 per container. */
  bytes: number;
}

/** Plain data up to this size travels inside the frame; above, the encoding's fixed cost (about 4 us) no longer matters. */
const PLAIN_BYTES = 4096;
const PLAIN_DEPTH = 16;
const NOT_PLAIN = Symbol('not plain');

let copied = 0;

/**
 * Takes the payload as it is now; what the sender changes afterwards is not seen by the receiver.
 * @throws GraceError `BAD_INPUT` for what cannot be cloned: functions, symbols, sockets
 */
export function pack(payload: unknown): Packed {
  copied = 0;
  const value = copyPlain(payload, 0);
  if (value !== NOT_PLAIN) return { value, bytes: copied };
  try {
    const encoded = serialize(payload);
    return { value: encoded, bytes: encoded.byteLength };
  } catch (error) {
    throw new GraceError('BAD_INPUT', `the payload cannot travel on the bus: ${(error as Error).message}`);
  }
}

export function unpack(value: unknown): unknown {
  return value instanceof Uint8Array ? deserialize(value) : value;
}

/** Size of a packed payload by the same measure, for the side that does not trust the sender; stops counting past `limit`. */
export function measure(value: unknown, limit: number): number {
  return value instanceof Uint8Array ? value.byteLength : count(value, limit);
}

/** A second receiver in the same thread gets its own copy of a plain payload; encoded ones are decoded anew by each. */
export function duplicate(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) ? structuredClone(value) : value;
}

function copyPlain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      copied += value.length;
      return copied > PLAIN_BYTES ? NOT_PLAIN : value;
    case 'number':
      copied += 8;
      return value;
    case 'boolean':
    case 'undefined':
      copied += 1;
      return value;
    case 'object':
      if (value === null) {
        copied += 1;
        return value;
      }
      copied += 8;
      if (depth === PLAIN_DEPTH || copied > PLAIN_BYTES) return NOT_PLAIN;
      return Array.isArray(value)
        ? copyArray(value, depth + 1)
        : copyObject(value as Record<string, unknown>, depth + 1);
    default:
      return NOT_PLAIN;
  }
}

function copyArray(source: unknown[], depth: number): unknown {
  if (source.length > PLAIN_BYTES) return NOT_PLAIN;
  const target: unknown[] = [];
  for (let i = 0; i < source.length; i++) {
    const item = source[i];
    if (item === undefined && !(i in source)) return NOT_PLAIN;
    const copy = copyPlain(item, depth);
    if (copy === NOT_PLAIN) return NOT_PLAIN;
    target.push(copy);
  }
  return copied > PLAIN_BYTES ? NOT_PLAIN : target;
}

function copyObject(source: Record<string, unknown>, depth: number): unknown {
  const prototype = Object.getPrototypeOf(source);
  if (prototype !== Object.prototype && prototype !== null) return NOT_PLAIN;
  const target: Record<string, unknown> = {};
  for (const key of Object.keys(source)) {
    copied += key.length;
    if (key === '__proto__') return NOT_PLAIN;
    const copy = copyPlain(source[key], depth);
    if (copy === NOT_PLAIN) return NOT_PLAIN;
    target[key] = copy;
  }
  return copied > PLAIN_BYTES ? NOT_PLAIN : target;
}

function count(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'number') return 8;
  if (typeof value !== 'object' || value === null) return 1;
  let bytes = 8;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && bytes <= limit; i++) bytes += count(value[i], limit - bytes);
    return bytes;
  }
  for (const key of Object.keys(value)) {
    bytes += key.length + count((value as Record<string, unknown>)[key], limit - bytes);
    if (bytes > limit) break;
  }
  return bytes;
}
