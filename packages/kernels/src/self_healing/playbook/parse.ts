import type { IncidentKind } from '@grace/contracts';
import { didYouMean } from '@grace/contracts';
import { duration, kernelId, period, readYaml } from '@grace/contracts/config';
import { z } from 'zod';
import { factProblem, factsOf, placeholdersIn } from './facts.ts';
import { type Action, type Clause, OPERATORS, type Playbook } from './types.ts';

const INCIDENT_KINDS = Object.keys({
  heartbeat_gap: 1,
  kernel_hung: 1,
  kernel_crash: 1,
  kernel_start_failed: 1,
  cell_crash: 1,
  cell_frozen: 1,
  cpu_saturation: 1,
  cpu_overload: 1,
  memory_pressure: 1,
  flooding: 1,
  queue_backlog: 1,
  record_damaged: 1,
  acl_violation: 1,
  bus_unbalanced: 1,
  quarantine: 1,
} satisfies Record<IncidentKind, 1>) as [IncidentKind, ...IncidentKind[]];

/** Verbs that give a principal more than it had. No playbook may call them, whatever it is about. */
const WIDENING: Readonly<Record<string, readonly string[]>> = { message_bus: ['unmute', 'permit'] };

type Issue = (message: string, ...path: PropertyKey[]) => void;

const plainClause = z.looseObject({ fact: z.string() }).transform((raw, context): Clause => {
  const { fact, ...rest } = raw;
  const names = Object.keys(rest);
  const wrong = names.find((name) => !(OPERATORS as readonly string[]).includes(name));
  const problem =
    wrong !== undefined
      ? `"${wrong}" is not an operator${didYouMean(wrong, OPERATORS)}; operators: ${OPERATORS.join(', ')}`
      : names.length !== 1
        ? `expected one operator beside "fact" (${OPERATORS.join(', ')}), got ${names.length === 0 ? 'none' : names.join(', ')}`
        : undefined;
  if (problem !== undefined) {
    context.addIssue({ code: 'custom', message: problem, path: wrong === undefined ? [] : [wrong] });
    return z.NEVER;
  }
  const operator = names[0] as (typeof OPERATORS)[number];
  return { fact, operator, value: rest[operator] };
});

const clause = z.unknown().transform((raw, context): Clause => {
  const isAny = raw !== null && typeof raw === 'object' && 'any' in raw;
  const parsed = isAny
    ? z.strictObject({ any: z.array(plainClause).min(1).max(20) }).safeParse(raw)
    : plainClause.safeParse(raw);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    context.addIssue({ code: 'custom', message: issue.message, path: [...issue.path] });
  }
  return z.NEVER;
});
const clauses = z.array(clause).max(50).default([]);

const kernelName = z.string().min(1).max(100);
const actions = {
  probe: z.strictObject({ kernel: kernelName }),
  probe_neighbours: z.strictObject({}),
  restart: z.strictObject({ kernel: kernelName, reason: z.string().min(1).max(300) }),
  verb: z.strictObject({ kernel: kernelName, verb: z.string().min(1).max(100), input: z.unknown() }),
  wait_until: z.array(clause).min(1).max(50),
};
const ACTIONS = Object.keys(actions) as (keyof typeof actions)[];

const action = z
  .strictObject({
    probe: actions.probe.optional(),
    probe_neighbours: actions.probe_neighbours.optional(),
    restart: actions.restart.optional(),
    verb: actions.verb.optional(),
    wait_until: actions.wait_until.optional(),
  })
  .transform((raw, context): Action => {
    const given = ACTIONS.filter((name) => raw[name] !== undefined);
    if (given.length !== 1) {
      context.addIssue({
        code: 'custom',
        message: `expected one action (${ACTIONS.join(', ')}), got ${given.join(' and ') || 'none'}`,
      });
      return z.NEVER;
    }
    if (raw.probe) return { kind: 'probe', ...raw.probe };
    if (raw.restart) return { kind: 'restart', ...raw.restart };
    if (raw.verb) return { kind: 'verb', ...raw.verb };
    if (raw.wait_until) return { kind: 'wait_until', clauses: raw.wait_until };
    return { kind: 'probe_neighbours' };
  });

const step = z
  .strictObject({
    id: kernelId,
    when: clauses,
    action,
    deadline: period,
    retry: z
      .strictObject({ attempts: z.number().int().min(1).max(20), delay: duration.default(200) })
      .default({ attempts: 1, delay: 200 }),
    verify: clauses,
    on_failure: z.enum(['stop', 'continue']).default('stop'),
    compensation: action.nullable().default(null),
  })
  .transform((raw) => ({
    id: raw.id,
    when: raw.when,
    action: raw.action,
    deadlineMs: raw.deadline,
    attempts: raw.retry.attempts,
    delayMs: raw.retry.delay,
    verify: raw.verify,
    onFailure: raw.on_failure,
    compensation: raw.compensation,
  }));

const playbook = z
  .strictObject({
    id: kernelId,
    title: z.string().min(1).max(300),
    trigger: z.array(z.enum(INCIDENT_KINDS)).max(20),
    conditions: clauses,
    guards: z.strictObject({ budget: z.number().int().min(1).max(10_000), window: period, cool_down: duration }),
    steps: z.array(step).min(1).max(50),
    worse: clauses,
    post_condition: z.strictObject({ all: z.array(clause).min(1).max(50), hold: duration, within: period }),
  })
  .transform(
    (raw): Playbook => ({
      id: raw.id,
      title: raw.title,
      trigger: raw.trigger,
      conditions: raw.conditions,
      guards: { budget: raw.guards.budget, windowMs: raw.guards.window, coolDownMs: raw.guards.cool_down },
      steps: raw.steps,
      worse: raw.worse,
      postCondition: {
        clauses: raw.post_condition.all,
        holdMs: raw.post_condition.hold,
        withinMs: raw.post_condition.within,
      },
    }),
  )
  .superRefine((value, context) => {
    checkNames(value, (message, ...path) => context.addIssue({ code: 'custom', message, path }));
  });

/**
 * Reads a playbook file. Pure.
 * @param file the name that messages give
 * @throws GraceError `PLAYBOOK_INVALID`, one problem a line as `file:line:col: path: what was expected`
 */
export function parsePlaybook(text: string, file: string): Playbook {
  return readYaml(text, file, playbook, 'PLAYBOOK_INVALID');
}

function checkNames(value: Playbook, issue: Issue): void {
  const known: string[] = [];
  checkClauses(value.conditions, known, issue, 'conditions');
  for (const [i, one] of value.steps.entries()) {
    checkClauses(one.when, known, issue, 'steps', i, 'when');
    checkAction(one.action, known, issue, 'steps', i, 'action');
    if (known.includes(one.id)) issue(`expected ids that differ, got "${one.id}" twice`, 'steps', i, 'id');
    known.push(one.id);
    checkClauses(one.verify, known, issue, 'steps', i, 'verify');
    if (one.compensation) checkAction(one.compensation, known, issue, 'steps', i, 'compensation');
  }
  checkClauses(value.worse, known, issue, 'worse');
  checkClauses(value.postCondition.clauses, known, issue, 'post_condition', 'all');
}

function checkClauses(list: readonly Clause[], steps: readonly string[], issue: Issue, ...path: PropertyKey[]): void {
  for (const [i, one] of list.entries()) {
    const placeholders = placeholdersIn(JSON.stringify(one));
    for (const name of [...factsOf(one), ...placeholders]) {
      const problem = factProblem(name, steps);
      if (problem !== undefined) issue(`expected the name of a fact, got "${name}": ${problem}`, ...path, i);
    }
  }
}

function checkAction(given: Action, steps: readonly string[], issue: Issue, ...path: PropertyKey[]): void {
  if (given.kind === 'wait_until') {
    checkClauses(given.clauses, steps, issue, ...path, 'wait_until');
    return;
  }
  for (const name of placeholdersIn(JSON.stringify(given))) {
    const problem = factProblem(name, steps);
    if (problem !== undefined) issue(`expected the name of a fact in \${${name}}: ${problem}`, ...path, given.kind);
  }
  if (given.kind !== 'verb') return;
  const isTemplate = placeholdersIn(`${given.kernel}${given.verb}`).length > 0;
  if (isTemplate && given.kernel.includes('${') && given.verb.includes('${')) {
    issue('expected the kernel or the verb as plain text, got placeholders for both', ...path, 'verb');
  }
  const widening = Object.entries(WIDENING).some(
    ([kernel, verbs]) =>
      (given.kernel === kernel || given.kernel.includes('${')) &&
      (verbs.includes(given.verb) || given.verb.includes('${')),
  );
  if (widening) {
    issue(`expected a verb that does not widen access, got ${given.kernel} ${given.verb}`, ...path, 'verb');
  }
}
