import { didYouMean } from '@grace/contracts';
import { EVENT_FIELDS } from './rule.ts';

const HOLE = /\{\{\s*([^{}]*?)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}]*?)\s*\}\}$/;
const PATH = /^[A-Za-z_][\w-]*(?:\.[\w-]+)*$/;

/** First words of a path in a template or key. */
const ROOTS = [...EVENT_FIELDS, 'rule', 'firing', 'key', 'count', 'other'] as const;

/** What a path may reach: fields of the event, and `rule`, `firing`, `key`, `count`, `other` (payload of the correlated event). */
export type TemplateScope = Readonly<Record<string, unknown>>;

/** What may still be filled in, in characters; `exceeded` makes the error for what is more. */
export interface Budget {
  left: number;
  exceeded(): Error;
}

/** What is wrong with a path, or undefined. */
export function pathProblem(path: string, roots: readonly string[] = ROOTS): string | undefined {
  if (!PATH.test(path)) return `expected a path like payload.data.kernel, got "${path.slice(0, 60)}"`;
  const root = path.split('.')[0]!;
  return roots.includes(root)
    ? undefined
    : `expected a path that begins with one of ${roots.join(', ')}, got "${root}"${didYouMean(root, roots)}`;
}

/** The first wrong path in a template of any depth, with its place. */
export function templateProblem(template: unknown, place: string): { place: string; message: string } | undefined {
  if (typeof template === 'string') {
    for (const [, path] of template.matchAll(HOLE)) {
      const message = pathProblem(path!);
      if (message) return { place, message };
    }
    return undefined;
  }
  if (template === null || typeof template !== 'object') return undefined;
  for (const [name, value] of Object.entries(template)) {
    const found = templateProblem(value, Array.isArray(template) ? `${place}[${name}]` : `${place}.${name}`);
    if (found) return found;
  }
  return undefined;
}

/** The value at a path; undefined where there is none. Own fields only, so no path reaches a prototype. */
export function readPath(scope: TemplateScope, path: string): unknown {
  let value: unknown = scope;
  for (const token of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, token)) return undefined;
    value = (value as Record<string, unknown>)[token];
  }
  return value;
}

/**
 * Fills a template: `{{path}}` alone keeps the type of the value (null when missing); inside text it becomes text (empty when missing).
 * @throws what `budget` makes for more than it allows, so also for a value that goes in a circle
 */
export function fill(template: unknown, scope: TemplateScope, budget: Budget): unknown {
  if (typeof template === 'string') {
    const whole = WHOLE.exec(template);
    if (whole) return spend(readPath(scope, whole[1]!) ?? null, budget);
    spend(template, budget);
    return template.replace(HOLE, (_, path: string) => asText(spend(readPath(scope, path), budget)));
  }
  budget.left -= 1;
  if (Array.isArray(template)) return template.map((entry) => fill(entry, scope, budget));
  if (template === null || typeof template !== 'object') return template;
  return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, fill(value, scope, budget)]));
}

/** Takes what a value weighs from the budget: about its characters in JSON. */
function spend<T>(value: T, budget: Budget): T {
  const stack: unknown[] = [value];
  while (stack.length > 0) {
    const next = stack.pop();
    budget.left -= typeof next === 'string' ? 2 + next.length : ArrayBuffer.isView(next) ? next.byteLength : 4;
    if (budget.left < 0) throw budget.exceeded();
    if (next === null || typeof next !== 'object' || ArrayBuffer.isView(next)) continue;
    if (next instanceof Map || next instanceof Set) for (const part of next) stack.push(part);
    else if (Array.isArray(next)) for (const part of next) stack.push(part);
    else
      for (const [name, part] of Object.entries(next)) {
        budget.left -= name.length;
        stack.push(part);
      }
  }
  return value;
}

/** Text of any value, also of one that JSON cannot say. */
export function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'object') return String(value);
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return Object.prototype.toString.call(value);
  }
}
