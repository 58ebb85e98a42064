import { durationUnits, parseDuration } from '@grace/contracts';
import { z } from 'zod';
import { readingProblem } from '../facts/reading.ts';
import { compile } from './expression.ts';
import {
  type Condition,
  type FactOrigin,
  type FactSource,
  RULE_KINDS,
  RULE_LIMITS,
  type Rule,
  type RuleKind,
  SCOPE,
} from './rule.ts';

const OWN = 'verification_framework';
const RESERVED = new Set([
  ...['nowMs', 'input', 'answer', 'before', 'true', 'false', 'null', 'in', 'type', 'dyn', 'int', 'uint'],
  ...['double', 'string', 'bool', 'bytes', 'list', 'map', 'size', 'has', 'timestamp', 'duration', 'as', 'break'],
  ...['const', 'continue', 'else', 'for', 'function', 'if', 'import', 'let', 'loop', 'package', 'namespace'],
  ...['return', 'var', 'void', 'while', 'null_type', 'google', 'optional', 'cel', 'strings', 'math'],
]);

/** `250`, `"10s"`, `"2m"`: becomes milliseconds. */
const time = (least: number, most: number) =>
  z.unknown().transform((raw, ctx): number => {
    const ms = parseDuration(raw);
    if (ms !== undefined && ms >= least && ms <= most) return ms;
    const units = durationUnits.join(', ');
    const got = JSON.stringify(raw)?.slice(0, 40);
    ctx.addIssue({
      code: 'custom',
      message: `expected a time from ${least} to ${most} ms, as ms or with a unit (${units}), got ${got}`,
    });
    return z.NEVER;
  });

const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, { error: 'expected a name of at most 64 letters' });
const field = z.string().min(1).max(100);
const ORIGINS = ['call', 'supervisor'];

const fact = (reads: readonly string[]) =>
  z
    .strictObject({
      call: z
        .strictObject({ kernel: name, verb: name, input: z.record(z.string(), z.unknown()).default({}) })
        .optional(),
      supervisor: z.enum(['status', 'incidents']).optional(),
      path: z
        .string()
        .regex(/^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$/, { error: 'expected a dotted path like kernels or disk.level' })
        .max(200)
        .optional(),
      fields: z.array(field).min(1).max(50).optional(),
      within: time(10, RULE_LIMITS.withinMaxMs).default(1000),
    })
    .transform(({ call, supervisor, path, fields, within }, ctx): FactSource => {
      const origin = call ? { call } : supervisor ? { supervisor } : undefined;
      if (!origin || (call && supervisor)) {
        ctx.addIssue({ code: 'custom', message: `expected exactly one of ${ORIGINS.join(', ')}` });
        return z.NEVER;
      }
      const problem = call && readingProblem(call.kernel, call.verb, OWN, reads);
      if (problem) {
        ctx.addIssue({ code: 'custom', path: ['call', 'verb'], message: problem });
        return z.NEVER;
      }
      return { origin: origin as FactOrigin, path: path ?? null, fields: fields ?? null, withinMs: within };
    });

const conditionShape = (reads: readonly string[]) => ({
  facts: z.record(z.string(), fact(reads)).default({}),
  expect: z.string().min(1),
  show: z.string().min(1).optional(),
});

interface Addable {
  addIssue(issue: { code: 'custom'; path?: PropertyKey[]; message: string }): void;
}

/** Names and expressions, which a schema cannot see one by one. */
function checkExpressions(
  given: { facts: Condition['facts']; expect: string; show?: string | undefined },
  kind: RuleKind,
  ctx: Addable,
) {
  const names = Object.keys(given.facts);
  if (names.length > RULE_LIMITS.facts)
    ctx.addIssue({ code: 'custom', path: ['facts'], message: `expected at most ${RULE_LIMITS.facts} facts` });
  const bad = names.filter((one) => RESERVED.has(one) || !/^[a-z][A-Za-z0-9_]{0,31}$/.test(one));
  for (const one of bad) {
    ctx.addIssue({
      code: 'custom',
      path: ['facts', one],
      message: 'expected a name of at most 32 letters that begins with a small one and means nothing else in CEL',
    });
  }
  if (bad.length > 0) return;
  for (const part of ['expect', 'show'] as const) {
    const text = given[part];
    if (text === undefined) continue;
    try {
      compile(text, [...names, ...SCOPE[kind]], part === 'expect' ? 'bool' : 'any');
    } catch (error) {
      ctx.addIssue({ code: 'custom', path: [part], message: (error as Error).message });
    }
  }
}

/** A rule as people write it. */
export const ruleSchema = (reads: readonly string[]) =>
  z
    .strictObject({
      id: z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,63}$/, { error: 'expected a name in snake_case of at most 64 characters' }),
      title: z.string().min(1).max(200).optional(),
      kind: z.enum(RULE_KINDS),
      every: time(RULE_LIMITS.everyMinMs, RULE_LIMITS.everyMaxMs).default(10_000),
      after: z.number().int().min(1).max(100).default(2),
      ...conditionShape(reads),
    })
    .transform(({ title, every, show, ...rest }, ctx): Omit<Rule, 'source'> => {
      checkExpressions({ ...rest, show }, rest.kind, ctx);
      return { ...rest, title: title ?? rest.id, everyMs: every, show: show ?? null };
    });

/** A condition said on the spot, around one call. */
export const conditionSchema = (kind: 'pre' | 'post', reads: readonly string[]) =>
  z.strictObject(conditionShape(reads)).transform(({ show, ...rest }, ctx): Condition => {
    checkExpressions({ ...rest, show }, kind, ctx);
    return { ...rest, show: show ?? null };
  });

/** configs/invariants.yaml. */
export const invariantsSchema = z
  .strictObject({ format: z.literal(1), rules: z.array(ruleSchema([])).max(500).default([]) })
  .superRefine(({ rules }, ctx) => {
    const seen = new Set<string>();
    for (const [i, { id }] of rules.entries()) {
      if (seen.has(id)) ctx.addIssue({ code: 'custom', path: ['rules', i, 'id'], message: `"${id}" is there already` });
      seen.add(id);
    }
  });
