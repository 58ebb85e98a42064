import { didYouMean } from '@grace/contracts';
import { EVENT_FIELDS } from './rule.ts';

const HOLE = /\{\{\s*([^{}]*?)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}]*?)\s*\}\}$/;
const PATH = /^[A-Za-z_][\w-]*(?:\.[\w-]+)*$/;

/** First words of a path in a template or key. */
const ROOTS = [...EVENT_FIELDS, 'rule', 'key', 'count', 'other'] as const;

/** What a path may reach: fields of the event, and `rule`, `key`, `count`, `other` (payload of the correlated event). */
export type TemplateScope = Readonly<Record<string, unknown>>;

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

/** Fills a template: `{{path}}` alone keeps the type of the value (null when missing); inside text it becomes text (empty when missing). */
export function fill(template: unknown, scope: TemplateScope): unknown {
  if (typeof template === 'string') {
    const whole = WHOLE.exec(template);
    if (whole) return readPath(scope, whole[1]!) ?? null;
    return template.replace(HOLE, (_, path: string) => asText(readPath(scope, path)));
  }
  if (Array.isArray(template)) return template.map((entry) => fill(entry, scope));
  if (template === null || typeof template !== 'object') return template;
  return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, fill(value, scope)]));
}

export function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
