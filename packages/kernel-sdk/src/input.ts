import { didYouMean, GraceError } from '@grace/contracts';

type Check<T> = (value: unknown, place: string) => T;

const refuse = (place: string, expected: string, value: unknown): never => {
  const shown = value === undefined ? 'nothing' : JSON.stringify(value)?.slice(0, 60);
  throw new GraceError('BAD_INPUT', `${place}: expected ${expected}, got ${shown}`, { place, expected });
};

/** Checks for the border of a verb: small, without a schema library, because each thread would pay for one at its start. */
export const is = {
  string:
    (options: { max?: number; min?: number; pattern?: RegExp; what?: string } = {}): Check<string> =>
    (value, place) => {
      const { min = 1, max = 100_000, pattern, what } = options;
      if (typeof value !== 'string') return refuse(place, what ?? 'a string', value);
      if (value.length < min || value.length > max)
        return refuse(place, `${what ?? 'a string'} of ${min} to ${max} characters`, `${value.length} characters`);
      if (pattern && !pattern.test(value)) return refuse(place, what ?? `a string like ${pattern}`, value);
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
            `one of ${names.join(', ')}${typeof value === 'string' ? didYouMean(value, names) : ''}`,
            value,
          ),
  array:
    <T>(item: Check<T>, options: { max?: number } = {}): Check<T[]> =>
    (value, place) => {
      if (!Array.isArray(value)) return refuse(place, 'a list', value);
      if (value.length > (options.max ?? 10_000))
        return refuse(place, `at most ${options.max ?? 10_000} entries`, `${value.length} entries`);
      return value.map((entry, i) => item(entry, `${place}[${i}]`));
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
      throw new GraceError(
        'BAD_INPUT',
        `input.${name} is not a field of this verb${didYouMean(name, names)}; fields: ${names.join(', ') || 'none'}`,
        { field: name },
      );
    }
  }
  return Object.fromEntries(names.map((name) => [name, shape[name as keyof T](source[name], `input.${name}`)])) as T;
}
