import { GraceError } from '@grace/contracts';
import type { Clause, Operator } from './types.ts';

/** What clauses and placeholders are read from: facts, `before`, `steps`. */
export type Scope = Readonly<Record<string, unknown>>;

/** `null` = cannot be told from what is known. */
export type Truth = boolean | null;

export interface Answer {
  truth: Truth;
  /** The clause with what was observed, for people. */
  text: string;
}

export function look(scope: Scope, path: string): unknown {
  let value: unknown = scope;
  for (const name of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/**
 * Replaces `${path}` in strings, at any depth. A string that is one placeholder becomes the value itself, with its type.
 * @throws GraceError `BAD_INPUT` for a path without a value
 */
export function fill(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string') {
    const whole = /^\$\{([^}]*)\}$/.exec(value);
    if (whole) return valueAt(whole[1]!.trim(), scope);
    return value.replace(/\$\{([^}]*)\}/g, (_, path: string) => String(valueAt(path.trim(), scope)));
  }
  if (Array.isArray(value)) return value.map((entry) => fill(entry, scope));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fill(entry, scope)]));
  }
  return value;
}

function valueAt(path: string, scope: Scope): unknown {
  const value = look(scope, path);
  if (value === undefined || value === null) {
    throw new GraceError('BAD_INPUT', `\${${path}} has no value in this run`, { path });
  }
  return value;
}

/** Kleene's three values: `any` is true when one is, unknown when none is true and one is unknown. */
export function evaluate(clause: Clause, scope: Scope): Answer {
  if ('any' in clause) {
    const answers = clause.any.map((one) => evaluate(one, scope));
    const truth = answers.some((a) => a.truth === true) ? true : answers.some((a) => a.truth === null) ? null : false;
    return { truth, text: answers.map((a) => a.text).join(' or ') };
  }
  const observed = look(scope, clause.fact);
  let expected: unknown;
  try {
    expected = fill(clause.value, scope);
  } catch (error) {
    return { truth: null, text: `${clause.fact}: unknown, ${(error as Error).message}` };
  }
  return {
    truth: compare(clause.operator, observed, expected),
    text: `${clause.fact} ${clause.operator} ${JSON.stringify(expected)} (observed ${JSON.stringify(observed) ?? 'nothing'})`,
  };
}

/** True only when every clause is true; the texts are those that are not. */
export function all(clauses: readonly Clause[], scope: Scope): { truth: Truth; unmet: string[] } {
  const answers = clauses.map((clause) => evaluate(clause, scope));
  const unmet = answers.filter((answer) => answer.truth !== true).map((answer) => answer.text);
  const truth = unmet.length === 0 ? true : answers.some((answer) => answer.truth === false) ? false : null;
  return { truth, unmet };
}

function compare(operator: Operator, observed: unknown, expected: unknown): Truth {
  if (operator === 'exists') return (observed !== undefined && observed !== null) === expected;
  if (observed === undefined || observed === null) return null;
  switch (operator) {
    case 'is':
      return observed === expected;
    case 'not':
      return observed !== expected;
    case 'in':
      return Array.isArray(expected) ? expected.includes(observed) : null;
    case 'above':
      return numbers(observed, expected, (a, b) => a > b);
    case 'below':
      return numbers(observed, expected, (a, b) => a < b);
    case 'at_least':
      return numbers(observed, expected, (a, b) => a >= b);
    case 'at_most':
      return numbers(observed, expected, (a, b) => a <= b);
  }
}

function numbers(a: unknown, b: unknown, holds: (a: number, b: number) => boolean): Truth {
  return typeof a === 'number' && typeof b === 'number' && !Number.isNaN(a) && !Number.isNaN(b) ? holds(a, b) : null;
}
