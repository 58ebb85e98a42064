import { KnownValues } from './known-values.ts';
import { isSecretName, REDACTED, redactNamed } from './names.ts';

/**
 * Leaves secrets out of what is said. It knows them by the name of their field, and by their value where somebody told it: see
 * docs/decisions on redaction at the source.
 */
export interface Redactor {
  /** How many values it knows. While it is 0, only names are looked at. */
  readonly known: number;
  /** Knows this value from now on, in every common spelling. False: it is too short (8 characters) to be told from ordinary text. */
  know(value: string): boolean;
  text(text: string): string;
  /**
   * The same with secrets left out: a copy, or the value itself where it holds nothing that could be one. `names`: also what stands in
   * fields with a telling name; without it only known values are left out.
   */
  value<T>(value: T, names?: boolean): T;
  /** An error with its message, stack, causes and details cleaned in place; another one in its stead where it cannot be changed. */
  error(error: unknown): unknown;
  /** For text that comes in pieces: a value may lie across two of them. */
  stream(): RedactedStream;
}

export interface RedactedStream {
  /** What may go out by now; the end is held back while it could be the beginning of a known value. */
  push(text: string): string;
  end(): string;
}

/** Deeper than this nothing is looked at, and so nothing said. */
const DEPTH_MAX = 100;

export function createRedactor(): Redactor {
  const values = new KnownValues();
  const text = (given: string): string => redactNamed(values.redact(given));

  const copy = (value: unknown, names: boolean, depth: number, seen: Map<object, unknown>): unknown => {
    if (typeof value === 'string') return names ? text(value) : values.redact(value);
    if (value === null || typeof value !== 'object') return value;
    if (seen.has(value)) return seen.get(value);
    if (depth > DEPTH_MAX) return REDACTED;
    if (value instanceof Error) return copyError(value, names, depth, seen);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return hides(value) ? REDACTED : value;
    const inside = (one: unknown): unknown => copy(one, names, depth + 1, seen);
    if (Array.isArray(value)) {
      const list: unknown[] = [];
      seen.set(value, list);
      for (const one of value) list.push(inside(one));
      return list;
    }
    if (value instanceof Map) {
      const map = new Map();
      seen.set(value, map);
      for (const [key, one] of value) map.set(inside(key), named(key, one, names) ? REDACTED : inside(one));
      return map;
    }
    if (value instanceof Set) {
      const set = new Set();
      seen.set(value, set);
      for (const one of value) set.add(inside(one));
      return set;
    }
    const entries = Object.entries(value);
    // A Date and the like; an object of somebody's class travels as a plain one.
    if (entries.length === 0) return value;
    const fields: Record<string, unknown> = {};
    seen.set(value, fields);
    for (const [key, one] of entries) put(fields, values.redact(key), named(key, one, names) ? REDACTED : inside(one));
    return fields;
  };

  const copyError = (error: Error, names: boolean, depth: number, seen: Map<object, unknown>): Error => {
    const said = names ? text : (given: string) => values.redact(given);
    const clean = new Error(said(String(error.message)));
    seen.set(error, clean);
    clean.name = error.name;
    clean.stack = said(String(error.stack));
    for (const key of ['cause', 'errors', ...Object.keys(error)]) {
      if (Object.hasOwn(error, key)) put(clean, key, copy(Reflect.get(error, key), names, depth + 1, seen));
    }
    return clean;
  };

  const hides = (bytes: ArrayBufferView | ArrayBuffer): boolean => {
    if (values.size === 0) return false;
    const view = ArrayBuffer.isView(bytes)
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : Buffer.from(bytes);
    const said = view.toString('utf8');
    return values.redact(said) !== said;
  };

  return {
    get known() {
      return values.size;
    },
    know: (value) => values.add(value),
    text,
    value: <T>(value: T, names = true) => copy(value, names, 0, new Map()) as T,
    error(error) {
      if (!(error instanceof Error)) return copy(error, true, 0, new Map());
      const clean = copyError(error, true, 0, new Map());
      return takeOver(error, clean) ? error : clean;
    },
    stream() {
      let held = '';
      return {
        push(piece) {
          const whole = held + piece;
          const open = values.openEnd(whole);
          held = whole.slice(whole.length - open);
          return text(whole.slice(0, whole.length - open));
        },
        end() {
          const rest = text(held);
          held = '';
          return rest;
        },
      };
    },
  };
}

/** A name says something of a text, or of what holds texts; a number called `token` is a count. */
function named(key: unknown, value: unknown, names: boolean): boolean {
  if (!names || typeof key !== 'string' || !isSecretName(key)) return false;
  return (typeof value === 'string' && value !== '') || (typeof value === 'object' && value !== null);
}

/** Defines, so that a key such as `__proto__` is a key. */
function put(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}

/** Makes the error say what the clean one says; false when it does not let itself be changed. */
function takeOver(error: Error, clean: Error): boolean {
  try {
    for (const key of [
      'message',
      'stack',
      ...Object.keys(clean),
      ...(Object.hasOwn(clean, 'cause') ? ['cause'] : []),
    ]) {
      const now: unknown = Reflect.get(clean, key);
      if (Reflect.get(error, key) === now) continue;
      if (!Reflect.set(error, key, now) || Reflect.get(error, key) !== now) return false;
    }
    return true;
  } catch {
    return false;
  }
}
