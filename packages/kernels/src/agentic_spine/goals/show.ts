import type { Entry, Goal } from './goal.ts';

/** Said wherever a plan was chosen. */
const METHODS = {
  named: 'the plan was named',
  patterns: 'by patterns and keywords of the plans; no model is configured to make plans',
};

export function explained({ choice, plan }: Pick<Goal, 'choice' | 'plan'>): Record<string, unknown> {
  const { method, score, why, alternatives } = choice;
  return { plan: plan.id, title: plan.title, method: METHODS[method], score, why, alternatives };
}

export function brief({
  id,
  principal,
  text,
  plan,
  mode,
  state,
  reason,
  at,
  createdMs,
  endedMs,
}: Goal): Record<string, unknown> {
  return {
    ...{ id, goal: text, by: principal, plan: plan.id, mode, state, reason, stepsDone: at, steps: plan.steps.length },
    ...{ created: iso(createdMs), ended: iso(endedMs) },
  };
}

export function whole(goal: Goal, entries: readonly Entry[]): Record<string, unknown> {
  const { steps, ...rest } = brief(goal);
  const find = (at: number, kind: Entry['kind']) => entries.find((entry) => entry.step === at && entry.kind === kind);
  return {
    ...rest,
    choice: explained(goal),
    input: goal.input,
    event: goal.event,
    context: goal.context,
    waiting: goal.waiting,
    steps: goal.plan.steps.map((step, at) => {
      const act = find(at, 'act');
      const undo = find(at, 'undo');
      return {
        ...{ id: step.id, title: step.title, call: `${act?.kernel ?? step.call.kernel}.${step.call.verb}` },
        state: act?.state ?? 'open',
        ...(act && {
          input: act.input,
          answer: act.answer,
          error: act.error,
          attempts: act.attempt,
          decision: act.decision,
        }),
        ...(undo && { undo: { call: `${undo.kernel}.${undo.verb}`, state: undo.state, error: undo.error } }),
      };
    }),
    correlation: goal.correlation,
    deadline: iso(goal.deadlineMs),
  };
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
