import { deserialize, serialize } from 'node:v8';
import { GraceError } from '@grace/contracts';

/**
 * A payload ready to travel, as its receiver will decode it; the broker never does. Numbers, booleans, null and undefined as they are;
 * what JSON carries without loss as JSON text, several times cheaper than anything else; the rest in V8's structured-clone form.
 */
export type PackedPayload = unknown;

/** Beyond these, JSON might not end (a circle) or grow (shared references). */
const JSON_DEPTH = 32;
const JSON_NODES = 4096;

let nodes = 0;

/**
 * Takes the payload as it is now; what the sender changes afterwards is not seen by the receiver.
 * @throws GraceError `BAD_INPUT` for what cannot be cloned: functions, symbols, sockets
 */
export function pack(payload: unknown): PackedPayload {
  if (payload === null || payload === undefined || typeof payload === 'number' || typeof payload === 'boolean')
    return payload;
  nodes = 0;
  if (survivesJson(payload, 0)) return JSON.stringify(payload);
  try {
    return serialize(payload);
  } catch (error) {
    throw new GraceError('BAD_INPUT', `the payload cannot travel on the bus: ${(error as Error).message}`);
  }
}

export function unpack(packed: PackedPayload): unknown {
  if (typeof packed === 'string') return JSON.parse(packed);
  return packed instanceof Uint8Array ? deserialize(packed) : packed;
}

/** Bytes of the structured-clone form, characters of the JSON text, 8 for the rest. */
export function sizeOf(packed: PackedPayload): number {
  if (typeof packed === 'string') return packed.length;
  return packed instanceof Uint8Array ? packed.byteLength : 8;
}

/** A payload that will wait is cut out of the frame it came in, so that it does not keep the whole frame alive or travel with it. */
export function detach(packed: PackedPayload): PackedPayload {
  return packed instanceof Uint8Array && packed.byteLength < packed.buffer.byteLength ? new Uint8Array(packed) : packed;
}

function survivesJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      if (value === null) return true;
      if (depth === JSON_DEPTH || ++nodes > JSON_NODES) return false;
      if (Array.isArray(value)) return value.length <= JSON_NODES && itemsSurvive(value, depth + 1);
      return fieldsSurvive(value as Record<string, unknown>, depth + 1);
    default:
      return false;
  }
}

function itemsSurvive(items: unknown[], depth: number): boolean {
  for (let i = 0; i < items.length; i++) if (!survivesJson(items[i], depth)) return false;
  return true;
}

function fieldsSurvive(fields: Record<string, unknown>, depth: number): boolean {
  const prototype = Object.getPrototypeOf(fields);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in fields) if (!survivesJson(fields[key], depth)) return false;
  return true;
}
