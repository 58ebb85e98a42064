import { didYouMean, GraceError } from '@grace/contracts';
import type { InputType, Plan } from '../plans/plan.ts';
import { fill } from '../plans/template.ts';

const TEXT_CHARS = 8 * 1024;
const VALUE_CHARS = 32 * 1024;

/** What a plan's inputs come from, the first that has one. */
export interface Given {
  /** What the submitter named. */
  input: Readonly<Record<string, unknown>>;
  /** What the goal's text said where the pattern has a hole. */
  said: Readonly<Record<string, string>>;
  goal: Readonly<Record<string, unknown>>;
  event: unknown;
}

/** @throws GraceError `BAD_INPUT` naming the input and what was expected, `TOO_LARGE` */
export function readInputs(plan: Plan, { input, said, goal, event }: Given): Record<string, unknown> {
  const names = Object.keys(plan.inputs);
  for (const name of Object.keys(input)) {
    if (Object.hasOwn(plan.inputs, name)) continue;
    const short = name.slice(0, 60);
    throw new GraceError(
      'BAD_INPUT',
      `input.input: plan ${plan.id} has no input "${short}"${didYouMean(short, names)}; inputs: ${names.join(', ') || 'none'}`,
      { field: short },
    );
  }
  const found: Record<string, unknown> = {};
  for (const [name, { type, required, fallback, from, title }] of Object.entries(plan.inputs)) {
    const raw =
      own(input, name) ??
      spoken(own(said, name) as string | undefined, type) ??
      drawn(from, { goal, event }) ??
      fallback;
    if (raw === null || raw === undefined) {
      if (required) {
        const what = title ? ` (${title})` : '';
        throw new GraceError('BAD_INPUT', `input.input.${name}: plan ${plan.id} needs a ${type}${what}`, {
          field: name,
        });
      }
      found[name] = null;
    } else found[name] = checked(raw, type, `input.input.${name}`);
  }
  return found;
}

function own(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Words of a goal as what the input takes. */
function spoken(text: string | undefined, type: InputType): unknown {
  if (text === undefined || type === 'text' || type === 'name') return text;
  if (type === 'number') return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
  if (type === 'boolean')
    return text === 'true' || text === 'yes' ? true : text === 'false' || text === 'no' ? false : text;
  return text;
}

function drawn(template: string | null, scope: Record<string, unknown>): unknown {
  if (template === null) return undefined;
  try {
    return fill(template, scope);
  } catch {
    return undefined;
  }
}

function checked(value: unknown, type: InputType, place: string): unknown {
  const refuse = (expected: string): never => {
    const got = typeof value === 'object' ? (Array.isArray(value) ? 'a list' : 'an object') : JSON.stringify(value);
    throw new GraceError('BAD_INPUT', `${place}: expected ${expected}, got ${String(got).slice(0, 60)}`, { place });
  };
  switch (type) {
    case 'text':
      if (typeof value !== 'string' || value === '') return refuse('a text');
      if (value.length > TEXT_CHARS) throw new GraceError('TOO_LARGE', `${place}: at most ${TEXT_CHARS} characters`);
      return value;
    case 'name':
      if (typeof value !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/.test(value))
        return refuse('a name of letters, digits, "_", "-", "." and ":"');
      return value;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : refuse('a number');
    case 'boolean':
      return typeof value === 'boolean' ? value : refuse('true or false');
    case 'list':
      return Array.isArray(value) ? bounded(value, place) : refuse('a list');
    case 'object':
      return value !== null && typeof value === 'object' && !Array.isArray(value)
        ? bounded(value, place)
        : refuse('an object');
  }
}

function bounded(value: object, place: string): object {
  if (JSON.stringify(value).length > VALUE_CHARS)
    throw new GraceError('TOO_LARGE', `${place}: at most ${VALUE_CHARS} characters as JSON`);
  return value;
}
