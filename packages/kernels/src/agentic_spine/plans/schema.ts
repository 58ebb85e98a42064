import { didYouMean, durationUnits, parseDuration } from '@grace/contracts';
import { z } from 'zod';
import { readingProblem } from '../../verification_framework/facts/reading.ts';
import { compile } from '../../verification_framework/rules/expression.ts';
import { OWN_ID, READS } from '../act/expect.ts';
import { patternProblem } from '../choose/pattern.ts';
import { type Call, INPUT_TYPES, PLAN_LIMITS, type Plan, REPEATS, ROOTS, type Step } from './plan.ts';
import { isTemplate, type Names, stepProblem, templateProblems } from './template.ts';

const id = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,63}$/, { error: 'expected a name in snake_case of at most 64 characters' });
const title = z.string().min(1).max(200);
const verbName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, { error: 'expected the name of a verb, in plain letters' });
const kernelName = z.string().regex(/^(?:[A-Za-z][A-Za-z0-9_]{0,63}|\{\{[^{}]{1,100}\}\})$/, {
  error: 'expected the id of a kernel, or one template like {{input.kernel}}',
});
const expression = z.string().min(1).max(2000);

/** `250`, `"10s"`, `"2m"`: becomes milliseconds. */
const time = (least: number, most: number) =>
  z.unknown().transform((raw, ctx): number => {
    const ms = parseDuration(raw);
    if (ms !== undefined && ms >= least && ms <= most) return ms;
    ctx.addIssue({
      code: 'custom',
      message: `expected a time from ${least} to ${most} ms, as ms or with a unit (${durationUnits.join(', ')}), got ${JSON.stringify(raw)?.slice(0, 40)}`,
    });
    return z.NEVER;
  });

const call = z.strictObject({
  kernel: kernelName,
  verb: verbName,
  input: z.record(z.string(), z.unknown()).default({}),
});
const expectation = z
  .strictObject({ call: call.optional(), expect: expression, within: time(10, 10_000).default(2000) })
  .transform(({ call: look, expect, within }) => ({ call: look ?? null, expect, withinMs: within }));

const step = z
  .strictObject({
    id,
    title: title.optional(),
    call,
    deadline: time(10, PLAN_LIMITS.stepMaxMs).default(5000),
    repeat: z.enum(REPEATS).default('no'),
    retry: z
      .strictObject({ attempts: z.number().int().min(2).max(10), delay: time(0, 60_000).default(500) })
      .optional(),
    verify: expectation.optional(),
    compensate: call.optional(),
  })
  .transform(
    (given): Step => ({
      id: given.id,
      title: given.title ?? given.id,
      call: given.call,
      deadlineMs: given.deadline,
      repeat: given.repeat,
      attempts: given.retry?.attempts ?? 1,
      delayMs: given.retry?.delay ?? 500,
      verify: given.verify ?? null,
      compensate: given.compensate ?? null,
    }),
  );

const input = z
  .strictObject({
    type: z.enum(INPUT_TYPES).default('text'),
    title: title.optional(),
    required: z.boolean().optional(),
    default: z.unknown().optional(),
    from: z.string().min(1).max(500).optional(),
  })
  .transform((given) => ({
    type: given.type,
    title: given.title ?? '',
    required: given.required ?? given.default === undefined,
    fallback: given.default ?? null,
    from: given.from ?? null,
  }));

/** A plan as people write it. @param kernels ids that are known; undefined: any may be there */
export const planSchema = (kernels: readonly string[] | undefined) =>
  z
    .strictObject({
      format: z.literal(1),
      id,
      title,
      goal: z
        .strictObject({
          patterns: z.array(z.string().min(1).max(200)).max(PLAN_LIMITS.patterns).default([]),
          keywords: z
            .array(z.string().regex(/^[\p{L}\p{N}_-]{1,40}$/u, { error: 'expected one word of at most 40 characters' }))
            .max(PLAN_LIMITS.keywords)
            .default([]),
        })
        .default({ patterns: [], keywords: [] }),
      when: expression.optional(),
      inputs: z.record(z.string(), input).default({}),
      steps: z.array(step).min(1).max(PLAN_LIMITS.steps),
      post: expectation.optional(),
      deadline: time(100, PLAN_LIMITS.goalMaxMs).default(3_600_000),
    })
    .transform(
      (given): Plan => ({
        id: given.id,
        title: given.title,
        patterns: given.goal.patterns,
        keywords: given.goal.keywords.map((word) => word.toLowerCase()),
        when: given.when ?? null,
        inputs: given.inputs,
        steps: given.steps,
        post: given.post ?? null,
        deadlineMs: given.deadline,
      }),
    )
    .superRefine((plan, ctx) => {
      checkNames(plan, kernels, (message, ...path) => ctx.addIssue({ code: 'custom', message, path }));
    });

/** Inputs and answers of steps are kept on disk, and a value of the vault must not be. */
function secretProblem({ kernel, verb, input: given }: Call): string | undefined {
  const hasValue = typeof given === 'object' && given !== null && Object.hasOwn(given, 'value');
  const carries = ['get', 'set', 'rekey'].includes(verb) || (verb === 'rotate' && hasValue);
  return kernel === 'secret_manager' && carries
    ? `a plan is kept on disk, and so would be what "${verb}" is given or answers; the kernel that needs a secret asks for it itself`
    : undefined;
}

type Issue = (message: string, ...path: PropertyKey[]) => void;

/** What one part of a plan may say of another. */
function checkNames(plan: Plan, kernels: readonly string[] | undefined, issue: Issue): void {
  const inputs = Object.keys(plan.inputs);
  if (inputs.length > PLAN_LIMITS.inputs)
    issue(`expected at most ${PLAN_LIMITS.inputs} inputs, got ${inputs.length}`, 'inputs');
  for (const [name, { from }] of Object.entries(plan.inputs)) {
    if (!/^[a-z][A-Za-z0-9_]{0,63}$/.test(name))
      issue('expected the name of an input in plain letters', 'inputs', name);
    const names = { roots: ['goal', 'event'], inputs: [], earlier: [], all: [] };
    for (const { message } of from === null ? [] : templateProblems(from, names))
      issue(message, 'inputs', name, 'from');
  }
  for (const [i, pattern] of plan.patterns.entries()) {
    const message = patternProblem(pattern, inputs);
    if (message) issue(message, 'goal', 'patterns', i);
  }
  const all = plan.steps.map((one) => one.id);
  const expect = (text: string, names: readonly string[], earlier: readonly string[], ...path: PropertyKey[]): void => {
    for (const [, named] of text
      .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""')
      .matchAll(/\bsteps\s*\.\s*(\w+)/g)) {
      const message = stepProblem(named!, { earlier, all });
      if (message) issue(message, ...path);
    }
    try {
      compile(text, names, 'bool');
    } catch (error) {
      issue((error as Error).message, ...path);
    }
  };
  const checkCall = ({ kernel, verb, input: given }: Call, names: Names, path: PropertyKey[]): void => {
    if (kernel === OWN_ID) issue(`${OWN_ID} does not call itself: a circle`, ...path, 'kernel');
    if (kernels && !isTemplate(kernel) && !kernels.includes(kernel))
      issue(`there is no kernel "${kernel}"${didYouMean(kernel, kernels)}`, ...path, 'kernel');
    if (isTemplate(kernel) && verb !== 'status')
      issue(`a kernel that comes from a template may only be asked for its status, not "${verb}"`, ...path, 'verb');
    const secret = secretProblem({ kernel, verb, input: given });
    if (secret) issue(secret, ...path, 'verb');
    for (const { message } of templateProblems(kernel, names)) issue(message, ...path, 'kernel');
    for (const problem of templateProblems(given, names)) issue(problem.message, ...path, 'input', ...problem.path);
  };
  const checkLook = (look: Call, names: Names, path: PropertyKey[]): void => {
    checkCall(look, names, path);
    const message = isTemplate(look.kernel) ? undefined : readingProblem(look.kernel, look.verb, OWN_ID, READS);
    if (message) issue(message, ...path, 'verb');
  };
  if (plan.when !== null) expect(plan.when, ['goal', 'input', 'event', 'context'], [], 'when');
  if (plan.patterns.length + plan.keywords.length === 0 && plan.when !== null)
    issue('a condition alone finds no plan: expected patterns or keywords under goal', 'when');
  for (const [i, one] of plan.steps.entries()) {
    const place = ['steps', i];
    const earlier = all.slice(0, i);
    const upTo = all.slice(0, i + 1);
    if (earlier.includes(one.id)) issue(`expected ids that differ, got "${one.id}" twice`, ...place, 'id');
    const before: Names = { roots: ROOTS, inputs, earlier, all };
    const after: Names = { roots: ROOTS, inputs, earlier: upTo, all };
    checkCall(one.call, before, [...place, 'call']);
    const isKeyed = JSON.stringify(one.call.input).includes('{{key}}');
    if (one.repeat === 'keyed' && !isKeyed)
      issue('a keyed verb is given its key: expected {{key}} in the input', ...place, 'call', 'input');
    if (one.attempts > 1 && one.repeat === 'no')
      issue('only a verb that is declared idempotent or keyed (repeat) is tried again', ...place, 'retry');
    if (one.verify) {
      expect(one.verify.expect, [...ROOTS, 'answer', 'seen'], upTo, ...place, 'verify', 'expect');
      // The answer is not known after a crash, and this decides then whether the step was done.
      if (one.verify.call) checkLook(one.verify.call, before, [...place, 'verify', 'call']);
    }
    if (one.compensate) {
      checkCall(one.compensate, after, [...place, 'compensate']);
      if (isTemplate(one.compensate.kernel))
        issue('expected the id of a kernel, as permission is asked beforehand', ...place, 'compensate', 'kernel');
    }
  }
  if (plan.post) {
    expect(plan.post.expect, [...ROOTS, 'seen'], all, 'post', 'expect');
    if (plan.post.call) checkLook(plan.post.call, { roots: ROOTS, inputs, earlier: all, all }, ['post', 'call']);
  }
}
