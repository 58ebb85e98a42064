import { didYouMean, GraceError } from '@grace/contracts';

type Check<T> = (value: unknown, place: string) => T;

const refuse = (place: string, expected: string, value: unknown): never => {
  throw new GraceError('BAD_INPUT', `${place}: expected ${expected}, got ${shown(value)}`, { place, expected });
};

/** A name is compared with valid ones by this many characters: what is longer is no slip of the finger, and costs time to compare. */
const NAME_LENGTH = 60;

/** Inputs arrive by structured clone, so they may hold what JSON cannot say. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, NAME_LENGTH));
  if (value === null || typeof value !== 'object') return String(value).slice(0, NAME_LENGTH);
  try {
    return JSON.stringify(value).slice(0, NAME_LENGTH);
  } catch {
    return Array.isArray(value) ? 'a list' : 'an object';
  }
}

/** Checks for the border of a verb: small, without a schema library, because each thread would pay for one at its start. */
export const is = {
  string:
    (options: { max?: number; min?: number; pattern?: RegExp; what?: string } = {}): Check<string> =>
    (value, place) => {
      const { min = 1, max = 100_000, pattern, what } = options;
      if (typeof value !== 'string') return refuse(place, what ?? 'a string', value);
      if (value.length < min || value.length > max)
        return refuse(place, `${what ?? 'a string'} of ${min} to ${max} characters`, `${value.length} characters`);
      // Not `test`: a pattern with the flag g would remember where it stopped.
      if (pattern && value.search(pattern) < 0) return refuse(place, what ?? `a string like ${pattern}`, value);
      return value;
    },
  number:
    (options: { min?: number; max?: number; integer?: boolean } = {}): Check<number> =>
    (value, place) => {
      const { min = -Infinity, max = Infinity, integer = false } = options;
      if (
        typeof value !== 'number' ||
        Number.isNaN(value) ||
        value < min ||
        value > max ||
        (integer && !Number.isInteger(value))
      ) {
        return refuse(place, `${integer ? 'a whole number' : 'a number'} from ${min} to ${max}`, value);
      }
      return value;
    },
  boolean: (): Check<boolean> => (value, place) =>
    typeof value === 'boolean' ? value : refuse(place, 'true or false', value),
  oneOf:
    <const T extends string>(names: readonly T[]): Check<T> =>
    (value, place) =>
      names.includes(value as T)
        ? (value as T)
        : refuse(
            place,
            `one of ${names.join(', ')}${typeof value === 'string' ? didYouMean(value.slice(0, NAME_LENGTH), names) : ''}`,
            value,
          ),
  array:
    <T>(item: Check<T>, options: { max?: number } = {}): Check<T[]> =>
    (value, place) => {
      if (!Array.isArray(value)) return refuse(place, 'a list', value);
      if (value.length > (options.max ?? 10_000))
        return refuse(place, `at most ${options.max ?? 10_000} entries`, `${value.length} entries`);
      // Not `map`: it would pass over the holes of a sparse list.
      return Array.from(value, (entry, i) => item(entry, `${place}[${i}]`));
    },
  record: (): Check<Record<string, unknown>> => (value, place) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : refuse(place, 'an object', value),
  unknown: (): Check<unknown> => (value) => value,
  optional:
    <T>(check: Check<T>): Check<T | undefined> =>
    (value, place) =>
      value === undefined || value === null ? undefined : check(value, place),
};

type Shape<T> = { [K in keyof T]: Check<T[K]> };

/**
 * The input of a verb, checked field by field.
 * @throws GraceError `BAD_INPUT` naming the field, what was expected, and the nearest valid field for an unknown one
 */
export function readInput<T extends object>(input: unknown, shape: Shape<T>): T {
  const source = input === undefined || input === null ? {} : is.record()(input, 'input');
  const names = Object.keys(shape);
  for (const name of Object.keys(source)) {
    if (!names.includes(name)) {
      const short = name.slice(0, NAME_LENGTH);
      throw new GraceError(
        'BAD_INPUT',
        `input.${short} is not a field of this verb${didYouMean(short, names)}; fields: ${names.join(', ') || 'none'}`,
        { field: short },
      );
    }
  }
  // Own fields alone: every object inherits `constructor` and the like.
  const given = (name: string): unknown => (Object.hasOwn(source, name) ? source[name] : undefined);
  return Object.fromEntries(names.map((name) => [name, shape[name as keyof T](given(name), `input.${name}`)])) as T;
}
