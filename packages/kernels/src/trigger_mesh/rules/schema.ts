import { durationUnits, parseDuration } from '@grace/contracts';
import { z } from 'zod';
import { isPattern } from '../match/pattern.ts';
import { compileCondition } from './condition.ts';
import { type Action, RULE_LIMITS, type Rule } from './rule.ts';
import { pathProblem, templateProblem } from './template.ts';

/** The largest time a rule may name: 30 days. */
const TIME_MAX_MS = 30 * 86_400_000;

const id = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,63}$/, { error: 'expected a name in snake_case of at most 64 characters' });
const kernelOrVerb = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, { error: 'expected a name of at most 64 letters' });
const pattern = z.string().refine(isPattern, {
  error: 'expected a subject pattern like system.events.kernel.* or task.>',
});

/** `250`, `"10s"`, `"2m"`: becomes milliseconds. */
const time = (least: number) =>
  z.unknown().transform((raw, ctx): number => {
    const ms = parseDuration(raw);
    if (ms !== undefined && ms >= least && ms <= TIME_MAX_MS) return ms;
    ctx.addIssue({
      code: 'custom',
      message: `expected a time from ${least}ms to 30d, as ms or with a unit (${durationUnits.join(', ')}), got ${JSON.stringify(raw)?.slice(0, 40)}`,
    });
    return z.NEVER;
  });

const condition = z.string().superRefine((text, ctx) => {
  try {
    compileCondition(text);
  } catch (error) {
    ctx.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

const key = z.string().superRefine((path, ctx) => {
  const message = pathProblem(path, ['payload', 'subject', 'from', 'correlation', 'causation', 'id']);
  if (message) ctx.addIssue({ code: 'custom', message });
});

const template = z.unknown().superRefine((value, ctx) => {
  const problem = templateProblem(value, '');
  if (problem)
    ctx.addIssue({ code: 'custom', message: `${problem.place.replace(/^\./, '')} ${problem.message}`.trim() });
});

const publish = z.strictObject({
  subject: z
    .string()
    .max(256)
    .refine((text) => isPattern(text.replace(/\{\{.*?\}\}/g, 'x')) && !/[*>]/.test(text), {
      error: 'expected a subject like trigger.alarm or trigger.{{payload.kernel}}',
    }),
  payload: template.default({}),
});
const call = z.strictObject({ kernel: kernelOrVerb, verb: kernelOrVerb, input: template.default({}) });
const KINDS = ['publish', 'call', 'log'];
const action = z
  .strictObject({ publish: publish.optional(), call: call.optional(), log: z.string().max(1000).optional() })
  .transform((given, ctx): Action => {
    if (Object.values(given).filter((value) => value !== undefined).length === 1) return given as Action;
    ctx.addIssue({ code: 'custom', message: `expected exactly one of ${KINDS.join(', ')}` });
    return z.NEVER;
  });

const count = (max: number) => z.number().int().min(1).max(max);

/** A rule as people write it. */
export const ruleSchema = z
  .strictObject({
    id,
    title: z.string().min(1).max(200).optional(),
    on: pattern,
    when: condition.optional(),
    key: key.optional(),
    window: z.strictObject({ count: count(RULE_LIMITS.windowCount), within: time(1) }).optional(),
    and: z.strictObject({ on: pattern, when: condition.optional(), key: key.optional(), within: time(1) }).optional(),
    debounce: time(1).optional(),
    cooldown: time(1).optional(),
    depth: count(32).default(5),
    rate: z.strictObject({ count: count(10_000), within: time(1) }).optional(),
    breaker: z.strictObject({ failures: count(1000), open: time(1) }).optional(),
    do: z.array(action).min(1).max(RULE_LIMITS.actions),
    deadline: time(1).default(5000),
    enabled: z.boolean().default(true),
  })
  .transform(
    (given): Omit<Rule, 'source'> => ({
      id: given.id,
      title: given.title ?? given.id,
      on: given.on,
      when: given.when ?? null,
      key: given.key ?? null,
      window: given.window ? { count: given.window.count, withinMs: given.window.within } : null,
      and: given.and
        ? { on: given.and.on, when: given.and.when ?? null, key: given.and.key ?? null, withinMs: given.and.within }
        : null,
      debounceMs: given.debounce ?? 0,
      cooldownMs: given.cooldown ?? 0,
      depth: given.depth,
      rate: given.rate ? { count: given.rate.count, withinMs: given.rate.within } : { count: 1000, withinMs: 10_000 },
      breaker: given.breaker
        ? { failures: given.breaker.failures, openMs: given.breaker.open }
        : { failures: 5, openMs: 30_000 },
      do: given.do,
      deadlineMs: given.deadline,
      enabled: given.enabled,
    }),
  );

/** `configs/triggers.yaml` */
export const triggersSchema = z.strictObject({
  format: z.literal(1),
  rules: z
    .array(ruleSchema)
    .max(RULE_LIMITS.fileRules)
    .superRefine((rules, ctx) => {
      const seen = new Set<string>();
      for (const [i, { id: one }] of rules.entries()) {
        if (seen.has(one))
          ctx.addIssue({ code: 'custom', message: `expected each id once, "${one}" stands twice`, path: [i, 'id'] });
        seen.add(one);
      }
    }),
});
