import { DefaultDeserializer, serialize } from 'node:v8';
import { GraceError } from '@grace/contracts';
import { packErrors, readErrors } from './payload-errors.ts';
import { readWhole } from './payload-transfer.ts';

/**
 * A payload ready to travel, as its receiver will decode it; the broker never does. Numbers, booleans, null and undefined as they are;
 * what JSON carries without loss as JSON text, several times cheaper than anything else; the rest in V8's structured-clone form, which begins
 * with `V8_MARK`; the same with what errors carry beside it, see payload-errors.ts; and one whole buffer as its own bytes, which the flags of
 * the message tell, see payload-transfer.ts.
 */
export type PackedPayload = unknown;

/** First byte of everything V8 serialises. */
const V8_MARK = 0xff;

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
    return packErrors(payload) ?? serialize(payload);
  } catch (error) {
    throw new GraceError('BAD_INPUT', `the payload cannot travel on the bus: ${(error as Error).message}`);
  }
}

/** @throws GraceError `PROTOCOL` for bytes that no client of ours packed */
export function unpack(packed: PackedPayload, flags = 0): unknown {
  try {
    if (typeof packed === 'string') return JSON.parse(packed);
    if (!(packed instanceof Uint8Array)) return packed;
    const whole = readWhole(packed, flags);
    if (whole) return whole;
    return packed[0] === V8_MARK ? deserializeCopy(packed) : readErrors(packed, deserializeCopy);
  } catch (error) {
    throw new GraceError('PROTOCOL', `the payload cannot be read: ${(error as Error).message}`);
  }
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

function deserializeCopy(bytes: Uint8Array): unknown {
  ownBuffers ??= makeOwnBuffers();
  const deserializer = new ownBuffers(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

let ownBuffers: typeof DefaultDeserializer | undefined;

/**
 * Node's deserializer makes typed arrays that look into the frame they came in: two handlers of one message would share them, and `buffer`
 * would show everything else in the frame. Made when it is first needed: many threads never load `node:v8`.
 */
function makeOwnBuffers(): typeof DefaultDeserializer {
  return class extends DefaultDeserializer {
    _readHostObject(): ArrayBufferView {
      // Not in the type definitions; documented at https://nodejs.org/api/v8.html as the hook for what is no JavaScript object.
      const view = (
        DefaultDeserializer.prototype as unknown as { _readHostObject(this: DefaultDeserializer): ArrayBufferView }
      )._readHostObject.call(this);
      const bytes = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
      if (Buffer.isBuffer(view)) return Buffer.from(bytes);
      return new (view.constructor as new (buffer: ArrayBufferLike) => ArrayBufferView)(bytes);
    }
  };
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
