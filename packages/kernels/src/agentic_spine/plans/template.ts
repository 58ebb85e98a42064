import { didYouMean, GraceError } from '@grace/contracts';
import { PLAN_LIMITS } from './plan.ts';

const HOLE = /\{\{\s*([^{}]*?)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}]*?)\s*\}\}$/;
/** `input.kernel`, `steps.add.answer.id`, `steps.find.answer.0.text`; a `?` at the end: it may be missing. */
const PATH = /^[A-Za-z_][\w-]*(?:\.[\w-]+){0,11}\??$/;

export type Scope = Readonly<Record<string, unknown>>;

/** What the templates of a place may name. */
export interface Names {
  roots: readonly string[];
  inputs: readonly string[];
  /** Steps before this place. */
  earlier: readonly string[];
  /** Steps that are there at all, for a better message. */
  all: readonly string[];
}

/** Why a path cannot be filled in at its place, or undefined. */
export function pathProblem(given: string, names: Names): string | undefined {
  if (!PATH.test(given)) return `expected a path like input.kernel, got "${given.slice(0, 60)}"`;
  const [root, second, third] = given.replace(/\?$/, '').split('.') as [string, string?, string?];
  if (!names.roots.includes(root)) {
    return `expected a path that begins with one of ${names.roots.join(', ')}, got "${root}"${didYouMean(root, names.roots)}`;
  }
  if (root === 'input' && (second === undefined || !names.inputs.includes(second))) {
    return `the plan has no input "${second ?? ''}"${didYouMean(second ?? '', names.inputs)}`;
  }
  if (root !== 'steps') return undefined;
  return stepProblem(second ?? '', names) ?? (third === 'answer' ? undefined : `expected steps.${second}.answer`);
}

/** Why a step cannot be spoken of at a place, or undefined. */
export function stepProblem(step: string, { earlier, all }: Pick<Names, 'earlier' | 'all'>): string | undefined {
  if (earlier.includes(step)) return undefined;
  if (all.includes(step)) return `step "${step}" is not done before this; only earlier steps have answers`;
  return `there is no step "${step}"${didYouMean(step, all)}`;
}

/** Each problem of a template of any depth, with the path to it. */
export function templateProblems(template: unknown, names: Names): { path: PropertyKey[]; message: string }[] {
  const problems: { path: PropertyKey[]; message: string }[] = [];
  let holes = 0;
  const look = (value: unknown, path: PropertyKey[]): void => {
    if (path.length > PLAN_LIMITS.depth) {
      problems.push({ path: path.slice(0, 3), message: `expected at most ${PLAN_LIMITS.depth} levels` });
    } else if (typeof value === 'string') {
      if (value.length > PLAN_LIMITS.templateChars)
        problems.push({
          path,
          message: `expected at most ${PLAN_LIMITS.templateChars} characters, got ${value.length}`,
        });
      for (const [, given] of value.matchAll(HOLE)) {
        holes++;
        const message = pathProblem(given!, names);
        if (message) problems.push({ path, message });
      }
      const rest = value.replace(HOLE, '');
      if (/\{\{|\}\}/.test(rest))
        problems.push({ path, message: 'expected each "{{" with its "}}" and a path in between' });
    } else if (Array.isArray(value)) {
      for (const [i, entry] of value.entries()) look(entry, [...path, i]);
    } else if (value !== null && typeof value === 'object') {
      for (const [name, entry] of Object.entries(value)) look(entry, [...path, name]);
    }
  };
  look(template, []);
  if (holes > PLAN_LIMITS.holes)
    problems.push({ path: [], message: `expected at most ${PLAN_LIMITS.holes} templates, got ${holes}` });
  return problems;
}

export function isTemplate(text: string): boolean {
  return text.includes('{{');
}

/**
 * Fills a template. `{{path}}` alone keeps the type of the value; inside text it becomes text.
 * @throws GraceError `BAD_INPUT` for a path without a value, unless it ends in `?` (then null, or an empty text); `TOO_LARGE`
 */
export function fill(template: unknown, scope: Scope): unknown {
  const budget = { left: PLAN_LIMITS.inputChars };
  return filled(template, scope, budget);
}

function filled(template: unknown, scope: Scope, budget: { left: number }): unknown {
  if (typeof template === 'string') {
    const whole = WHOLE.exec(template);
    if (whole) {
      const value = valueAt(scope, whole[1]!);
      spend(budget, typeof value === 'string' ? value.length : (JSON.stringify(value)?.length ?? 0));
      return value;
    }
    const text = template.replace(HOLE, (_, path: string) => {
      const value = asText(valueAt(scope, path));
      spend(budget, value.length);
      return value;
    });
    spend(budget, template.length);
    return text;
  }
  if (Array.isArray(template)) return template.map((entry) => filled(entry, scope, budget));
  if (template === null || typeof template !== 'object') return template;
  return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, filled(value, scope, budget)]));
}

function spend(budget: { left: number }, chars: number): void {
  budget.left -= chars;
  if (budget.left >= 0) return;
  throw new GraceError('TOO_LARGE', `filled in, it has more than ${PLAN_LIMITS.inputChars} characters`);
}

/** The value at a path. Own fields only, so no path reaches a prototype. */
function valueAt(scope: Scope, given: string): unknown {
  const path = given.replace(/\?$/, '');
  let value: unknown = scope;
  const tokens = path.split('.');
  for (const [i, token] of tokens.entries()) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, token)) {
      if (given.endsWith('?')) return null;
      const isCut = value !== null && typeof value === 'object' && Object.hasOwn(value, 'truncated');
      const why = isCut ? `, for ${tokens.slice(0, i).join('.')} was too large to be kept whole` : '';
      throw new GraceError('BAD_INPUT', `{{${path}}} has no value${why}`, { path });
    }
    value = (value as Record<string, unknown>)[token];
  }
  return value ?? null;
}

function asText(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
