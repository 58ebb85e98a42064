import { createHash } from 'node:crypto';
import { didYouMean, GraceError } from '@grace/contracts';
import { is } from '@grace/kernel-sdk';
import type { PolicySet } from '../policies/policy-set.ts';

export type ContextValue = string | number | boolean | ContextValue[] | { [name: string]: ContextValue };
export type Context = Record<string, ContextValue>;

/** May this principal do this, to that? */
export interface Question {
  principal: string;
  action: string;
  resource: string;
  /** Without `approved`, which governance sets. */
  context: Context;
}

const CONTEXT_BYTES_MAX = 16 * 1024;
const CONTEXT_DEPTH_MAX = 5;
const ENTRIES_MAX = 256;
/** A name is compared with valid ones by this many characters. */
const NAME_LENGTH = 60;

/** Names that cross into Cedar: any character is data, but half of a surrogate pair would arrive as something else. */
export const identifier = (what: string, max: number) => (value: unknown, place: string) => {
  const text = is.string({ max, what })(value, place);
  if (!text.isWellFormed())
    throw new GraceError('BAD_INPUT', `${place}: expected ${what} of whole characters`, { place });
  return text;
};

export const QUESTION_SHAPE = {
  action: is.string({ max: 100 }),
  resource: identifier('an id', 512),
  context: is.optional(is.record()),
  principal: is.optional(identifier('a principal', 100)),
};

/**
 * Checks a question against the actions there are; types of fields are left to Cedar's schema.
 * @throws GraceError `BAD_INPUT` naming what was expected and the nearest name, `TOO_LARGE`
 */
export function readQuestion(
  given: { action: string; resource: string; context: Record<string, unknown> | undefined },
  principal: string,
  { actions }: Pick<PolicySet, 'actions'>,
): Question {
  const { action, resource } = given;
  if (!Object.hasOwn(actions, action)) {
    const names = Object.keys(actions).sort();
    throw new GraceError(
      'BAD_INPUT',
      `input.action: there is no action ${JSON.stringify(action.slice(0, NAME_LENGTH))}${didYouMean(action.slice(0, NAME_LENGTH), names)}; actions: ${names.join(', ')}`,
      { action: action.slice(0, NAME_LENGTH) },
    );
  }
  const { fields } = actions[action]!;
  const names = Object.keys(fields);
  const context = plain(given.context ?? {}, 'input.context', CONTEXT_DEPTH_MAX, { entries: 0 }) as Context;
  for (const name of Object.keys(context)) {
    if (Object.hasOwn(fields, name)) continue;
    const why =
      name === 'approved'
        ? 'approved is set by governance alone'
        : `${JSON.stringify(name.slice(0, NAME_LENGTH))} is no field of ${action}${didYouMean(name.slice(0, NAME_LENGTH), names)}; fields: ${names.join(', ') || 'none'}`;
    throw new GraceError('BAD_INPUT', `input.context: ${why}`, { field: name.slice(0, NAME_LENGTH) });
  }
  const missing = names.find((name) => fields[name]!.required && !Object.hasOwn(context, name));
  if (missing !== undefined) {
    throw new GraceError('BAD_INPUT', `input.context.${missing}: expected a value, as ${action} is asked with it`, {
      field: missing,
    });
  }
  const bytes = Buffer.byteLength(JSON.stringify(context));
  if (bytes > CONTEXT_BYTES_MAX) {
    throw new GraceError('TOO_LARGE', `input.context: expected at most ${CONTEXT_BYTES_MAX} bytes, got ${bytes}`, {
      bytes,
    });
  }
  return { principal, action, resource, context };
}

/** The same for the same question, whatever the order of its fields. */
export function digestOf({ principal, action, resource, context }: Question): string {
  return createHash('sha256')
    .update(JSON.stringify([principal, action, resource, sorted(context)]))
    .digest('base64url');
}

/**
 * What Cedar takes, as copies: inputs come by structured clone, so they may hold circles, dates and the like. Names that begin with `__`
 * would be read as entities and functions.
 */
function plain(value: unknown, place: string, depth: number, budget: { entries: number }): ContextValue {
  const refuse = (expected: string): never => {
    throw new GraceError('BAD_INPUT', `${place.slice(0, 200)}: expected ${expected}`, { place: place.slice(0, 200) });
  };
  budget.entries++;
  if (budget.entries > ENTRIES_MAX) refuse(`at most ${ENTRIES_MAX} values in a context`);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : refuse('a whole number');
  if (typeof value === 'string') return value.isWellFormed() ? value : refuse('a text of whole characters');
  if (typeof value !== 'object' || value === null)
    return refuse('a text, a whole number, true or false, a list or an object');
  if (depth === 0) refuse(`at most ${CONTEXT_DEPTH_MAX} levels, without circles`);
  if (Array.isArray(value)) {
    if (value.length > ENTRIES_MAX) refuse(`at most ${ENTRIES_MAX} entries`);
    return Array.from(value, (entry, i) => plain(entry, `${place}[${i}]`, depth - 1, budget));
  }
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== null) refuse('a plain object');
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  const copy: [string, ContextValue][] = entries.map(([name, entry]) => {
    if (name.startsWith('__') || !name.isWellFormed())
      refuse(`names that do not begin with "__", got ${JSON.stringify(name.slice(0, NAME_LENGTH))}`);
    return [name, plain(entry, `${place}.${name.slice(0, NAME_LENGTH)}`, depth - 1, budget)];
  });
  return Object.fromEntries(copy);
}

function sorted(value: ContextValue): ContextValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object') return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name]!)]));
}
