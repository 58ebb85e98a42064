import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from '../goals/book.ts';
import { type Goal, keyOf, scopeOf } from '../goals/goal.ts';
import { pause, perform, words } from './deed.ts';
import { filled } from './step.ts';

const DEADLINE_MS = 5000;
/** Waits between the attempts, each twice the one before. */
const ATTEMPTS = 4;
const PAUSE_MS = 500;

/** What became of the steps: names of those taken back, of those that could not be, and of those that nothing takes back. */
export interface Undone {
  is: 'over' | 'drained';
  back: string[];
  left: string[];
  failed: string[];
}

/**
 * Takes back what was done, or may have been, the last first. Permission was asked before each step was begun. A compensation may be done
 * twice; one that finds nothing to take back is done.
 */
export async function takeBack(ctx: KernelContext, book: Book, goal: Goal): Promise<Undone> {
  const undone: Undone = { is: 'over', back: [], left: [], failed: [] };
  for (let at = Math.min(goal.at, goal.plan.steps.length - 1); at >= 0; at--) {
    const entries = book.entries(goal.id);
    const act = entries.find(({ step, kind }) => step === at && kind === 'act');
    const step = goal.plan.steps[at]!;
    if (!act || act.state === 'refused') continue;
    if (!step.compensate) {
      undone.left.push(step.id);
      continue;
    }
    const before = entries.find(({ step: one, kind }) => one === at && kind === 'undo');
    if (before && before.state !== 'intent') {
      (before.state === 'done' ? undone.back : undone.failed).push(step.id);
      continue;
    }
    let deed: ReturnType<typeof filled>;
    try {
      deed = filled(step.compensate, scopeOf(goal, entries, at));
    } catch (error) {
      undone.failed.push(`${step.id} (${words(error)})`);
      continue;
    }
    for (let attempt = 1; ; attempt++) {
      const { entry } = book.intend(goal, {
        ...{ goal: goal.id, step: at, kind: 'undo', ...deed, key: keyOf(goal.id, step.id) },
        ...{ decision: act.decision, startedMs: ctx.clock.wallMs() },
      });
      const end = await perform(ctx, deed, { deadlineMs: DEADLINE_MS, correlation: goal.correlation });
      if (end.outcome !== 'done' && ctx.signal.aborted) return { ...undone, is: 'drained' };
      const isNothing = end.outcome !== 'done' && end.code === 'NOT_FOUND';
      if (end.outcome === 'done' || isNothing) {
        const answer = end.outcome === 'done' ? end.answer : null;
        book.answer(entry, { state: 'done', answer, error: isNothing ? 'there was nothing to take back' : null }, goal);
        undone.back.push(step.id);
        break;
      }
      if (attempt >= ATTEMPTS || end.code === 'BAD_INPUT' || end.code === 'UNKNOWN_VERB' || end.code === 'BUS_DENIED') {
        book.answer(entry, { state: end.outcome, answer: null, error: end.error }, goal);
        undone.failed.push(`${step.id} (${end.error})`);
        break;
      }
      await pause(PAUSE_MS * 2 ** (attempt - 1), ctx.signal);
      if (ctx.signal.aborted) return { ...undone, is: 'drained' };
    }
  }
  return undone;
}
