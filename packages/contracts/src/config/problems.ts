import type { z } from 'zod';
import { didYouMean } from '../nearest.ts';
import type { Path } from './locate.ts';

export interface Problem {
  path: Path;
  /** The key itself is wrong, not its value. */
  aboutKey: boolean;
  message: string;
}

type Issue = z.core.$ZodIssue;

/** Checks `raw`, and says in Grace's own words what is wrong with it. A message that a schema states itself is kept as it is. */
export function explain(schema: z.ZodType, raw: unknown): { value: unknown; problems: Problem[] } {
  /** Valid names beside an unknown one. zod drops the schema from its issues, but its list of keys passes through unchanged. */
  const siblings = new WeakMap<object, string[]>();
  const result = schema.safeParse(raw, {
    reportInput: true,
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') {
        const shape = (issue.inst as z.ZodObject | undefined)?._zod.def.shape;
        siblings.set(issue.keys as object, Object.keys(shape ?? {}));
      }
      return expectation(issue as RawIssue);
    },
  });
  if (result.success) return { value: result.data, problems: [] };
  return { value: undefined, problems: result.error.issues.flatMap((issue) => flatten(issue, [], siblings)) };
}

function flatten(issue: Issue, prefix: Path, siblings: WeakMap<object, string[]>): Problem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const valid = siblings.get(issue.keys) ?? [];
    return issue.keys.map((key) => ({
      path: [...path, key],
      aboutKey: true,
      message: `expected one of ${valid.join(', ') || 'no keys'}, got the unknown key "${key}"${didYouMean(key, valid)}`,
    }));
  }
  if (issue.code === 'invalid_key') {
    return [{ path, aboutKey: true, message: issue.issues[0]?.message ?? issue.message }];
  }
  if (issue.code === 'invalid_union') {
    // The branch that got furthest is the one that was meant.
    const depth = (branch: readonly Issue[]): number => Math.max(...branch.map((inner) => inner.path.length));
    const [meant] = issue.errors
      .filter((branch) => branch.length > 0)
      .sort((a, b) => depth(b) - depth(a) || a.length - b.length);
    const isInside = meant?.some((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys');
    if (meant && isInside) return meant.flatMap((inner) => flatten(inner, path, siblings));
  }
  return [{ path, aboutKey: false, message: issue.message }];
}

type RawIssue = { code: string; input?: unknown; [key: string]: unknown };

/** `expected ..., got ...` for an issue whose schema does not say it better. */
function expectation(issue: RawIssue): string | undefined {
  const got = show(issue.input);
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPE_WORDS[String(issue['expected'])] ?? issue['expected']}, got ${got}`;
    case 'invalid_value': {
      const values = (issue['values'] as unknown[]).map(String);
      const near = typeof issue.input === 'string' ? didYouMean(issue.input, values) : '';
      return `expected ${values.length === 1 ? '' : 'one of '}${values.join(', ')}, got ${got}${near}`;
    }
    case 'too_small':
      return `expected ${bound('at least', issue['minimum'], issue['origin'], issue['inclusive'])}, got ${got}`;
    case 'too_big':
      return `expected ${bound('at most', issue['maximum'], issue['origin'], issue['inclusive'])}, got ${got}`;
    case 'invalid_format':
      return `expected text like ${issue['pattern'] ?? issue['format']}, got ${got}`;
    case 'invalid_union': {
      const options = issue['options'] as unknown[] | undefined;
      if (options) {
        const value = (issue.input as Record<string, unknown> | undefined)?.[String(issue['discriminator'])];
        const near = typeof value === 'string' ? didYouMean(value, options.map(String)) : '';
        return `expected one of ${options.join(', ')}, got ${show(value)}${near}`;
      }
      const words = (issue['errors'] as Issue[][]).flatMap(
        ([first]) => /^expected (.*), got /.exec(first?.message ?? '')?.[1] ?? [],
      );
      return `expected ${[...new Set(words)].join(' or ') || 'another shape'}, got ${got}`;
    }
    default:
      return undefined;
  }
}

const TYPE_WORDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map',
  record: 'a map',
  array: 'a list',
  never: 'nothing here',
};

function bound(words: string, limit: unknown, origin: unknown, inclusive: unknown): string {
  const unit = origin === 'string' ? ' characters' : origin === 'array' || origin === 'set' ? ' entries' : '';
  return inclusive === false && unit === ''
    ? `${words === 'at least' ? 'more' : 'less'} than ${limit}`
    : `${words} ${limit}${unit}`;
}

/** A value in a message: short, quoted when it is text. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  // NaN and infinity are no JSON.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
