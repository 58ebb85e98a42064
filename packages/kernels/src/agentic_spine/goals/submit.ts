import { randomUUID } from 'node:crypto';
import { GraceError, type VerbMeta } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { choose } from '../choose/choose.ts';
import { enrich } from '../choose/enrich.ts';
import { checkVerbs } from '../choose/rehearse.ts';
import type { Library } from '../plans/library.ts';
import type { Book } from './book.ts';
import { GOAL_LIMITS, type Goal, scopeOf } from './goal.ts';
import type { Outbox } from './outbox.ts';

/** A goal as it came, checked. */
export interface Submitted {
  text: string;
  event: unknown;
  input: Record<string, unknown>;
  mode: 'run' | 'step';
  key: string | null;
}

/**
 * A goal with its plan, not on disk yet: enriched, the plan chosen, its inputs there, its verbs known.
 * @throws GraceError `NOT_FOUND`, `BAD_INPUT`, `CONFLICT`, `TOO_LARGE`, `UNKNOWN_KERNEL`, `UNKNOWN_VERB`
 */
export async function planGoal(ctx: KernelContext, library: Library, given: Submitted, meta: VerbMeta): Promise<Goal> {
  const { text, event, input, mode, key } = given;
  const context = await enrich(ctx);
  const choice = choose(library, { text, event, input, context, principal: meta.from });
  const { plan, score, why, alternatives, method } = choice;
  const id = `goal-${randomUUID()}`;
  const createdMs = Math.floor(ctx.clock.wallMs());
  const goal: Goal = {
    ...{ id, key, principal: meta.from, text, mode, plan, input: choice.input, event, context },
    ...{ choice: { score, why, alternatives, method }, correlation: meta.correlation ?? id, createdMs },
    ...{ deadlineMs: createdMs + plan.deadlineMs, state: 'planned', reason: '', at: 0, waiting: null },
    ...{ granted: {}, ending: null, endedMs: null },
  };
  await checkVerbs(ctx, plan, scopeOf(goal, [], 0));
  return goal;
}

export interface SubmitParts {
  ctx: KernelContext;
  library: Library;
  book: Book;
  outbox: Outbox;
}

/** @returns the goal, on disk; `repeated` when the submitter's key stands for it already */
export async function submitGoal(
  { ctx, library, book, outbox }: SubmitParts,
  given: Submitted,
  meta: VerbMeta,
): Promise<{ goal: Goal; repeated: boolean }> {
  const { key } = given;
  const before = key === null ? undefined : book.byKey(meta.from, key);
  if (before) return { goal: same(before, given), repeated: true };
  checkBounds(book, meta, ctx.clock.wallMs());
  const goal = await planGoal(ctx, library, given, meta);
  // The same may have come in while this one was planned.
  const meanwhile = key === null ? undefined : book.byKey(meta.from, key);
  if (meanwhile) return { goal: same(meanwhile, given), repeated: true };
  checkBounds(book, meta, ctx.clock.wallMs());
  book.open(goal, () => outbox.put('decision', goal.id, decisionOf(goal)));
  outbox.wake();
  return { goal, repeated: false };
}

function same(goal: Goal, { text, mode, key }: Submitted): Goal {
  if (goal.text === text && goal.mode === mode) return goal;
  throw new GraceError(
    'CONFLICT',
    `input.key: ${JSON.stringify(key)} stands for another goal, ${goal.id}: ${goal.text.slice(0, 80)}`,
    {
      goal: goal.id,
    },
  );
}

function checkBounds(book: Book, { from, correlation }: VerbMeta, nowMs: number): void {
  const { open, openOfOne, cascade, cascadeMs } = GOAL_LIMITS;
  const refuse = (why: string): never => {
    throw new GraceError('CONFLICT', `${why}; try again when some have ended, or abort one`);
  };
  if (book.openCount() >= open) refuse(`${open} goals are open already`);
  if (book.openCount(from) >= openOfOne) refuse(`${from} has ${openOfOne} open goals already`);
  if (correlation === undefined || book.ofCorrelation(correlation, nowMs - cascadeMs) < cascade) return;
  throw new GraceError(
    'CONFLICT',
    `${cascade} goals with the correlation ${correlation} began within ${cascadeMs / 60_000} minutes: goals that begin goals are cut here`,
    { correlation },
  );
}

function decisionOf({ id, text, plan, principal, choice, correlation }: Goal): Record<string, unknown> {
  const { method, score, why, alternatives } = choice;
  return {
    what: `plan ${plan.id} for: ${text}`.slice(0, 400),
    why: `${why}; asked for by ${principal}`.slice(0, 400),
    where: 'agentic_spine',
    how: method === 'named' ? 'the plan was named' : 'by patterns and keywords of the plans; no model was asked',
    alternatives: alternatives.map((one) => ({ what: one.plan, whyNot: one.whyNot.slice(0, 300) })),
    confidence: score,
    correlation,
    key: id,
  };
}
