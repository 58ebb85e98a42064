import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from '../goals/book.ts';
import type { Goal } from '../goals/goal.ts';
import type { Outbox } from '../goals/outbox.ts';

/** Says how goals end. */
export interface Herald {
  /** Within the transaction that ends the goal. */
  note(goal: Goal): void;
  /** After it. */
  tell(goal: Goal): void;
}

/** To the audit record, until that has it; and on the bus, once. */
export function createHerald(ctx: KernelContext, book: Book, outbox: Outbox): Herald {
  return {
    note: (goal) => outbox.put('audit', `${goal.id}-${goal.state}`, auditOf(ctx.id, goal, book)),
    tell({ id, plan, principal, state, reason }) {
      outbox.wake();
      ctx.bus
        .publish(`kernel.${ctx.id}.event.goal`, { id, plan: plan.id, by: principal, state, reason })
        .catch((error: Error) => {
          ctx.log.debug('the end of a goal was not told', { id, error: error.message });
        });
    },
  };
}

function auditOf(kernel: string, { id, plan, principal, state, text, reason, correlation }: Goal, book: Book): object {
  const steps = book.entries(id).map((entry) => ({
    ...{ step: plan.steps[entry.step]!.id, kind: entry.kind, call: `${entry.kernel}.${entry.verb}` },
    ...{ state: entry.state, decision: entry.decision, attempt: entry.attempt },
  }));
  return {
    actor: principal,
    action: 'goal',
    resource: plan.id,
    subsystem: kernel,
    outcome: state,
    payload: { goal: id, text: text.slice(0, 300), reason: reason.slice(0, 500), steps, correlation },
    idempotencyKey: `${id}-${state}`,
  };
}
