import { all, fill, type Scope, type Truth } from '../playbook/clause.ts';
import type { Playbook } from '../playbook/types.ts';

/** What a dry run prints: nothing is done, every clause is answered from what is observed now. */
export interface Rehearsal {
  conditions: Truth;
  unmet: string[];
  steps: {
    step: string;
    /** `null` = depends on what an earlier step will find. */
    would: Truth;
    action: unknown;
    why: string[];
    attempts: number;
    deadlineMs: number;
  }[];
  postCondition: { truth: Truth; unmet: string[]; holdMs: number; withinMs: number };
}

export function rehearse(playbook: Playbook, scope: Scope): Rehearsal {
  const { truth, unmet } = all(playbook.conditions, scope);
  const post = all(playbook.postCondition.clauses, scope);
  const { holdMs, withinMs } = playbook.postCondition;
  return {
    conditions: truth,
    unmet,
    steps: playbook.steps.map((step) => {
      const when = all(step.when, scope);
      return {
        step: step.id,
        would: when.truth,
        action: filled(step.action, scope),
        why: when.unmet,
        attempts: step.attempts,
        deadlineMs: step.deadlineMs,
      };
    }),
    postCondition: { truth: post.truth, unmet: post.unmet, holdMs, withinMs },
  };
}

/** The action with its placeholders filled in, or as it is written where one has no value yet. */
function filled(action: unknown, scope: Scope): unknown {
  try {
    return fill(action, scope);
  } catch {
    return action;
  }
}
