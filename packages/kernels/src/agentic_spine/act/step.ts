import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from '../goals/book.ts';
import { type Entry, GOAL_LIMITS, type Goal, type GoalStanding, keyOf, scopeOf } from '../goals/goal.ts';
import type { Call, Step } from '../plans/plan.ts';
import { fill } from '../plans/template.ts';
import { type Deed, type DeedEnd, pause, perform, words } from './deed.ts';
import { look, type Told } from './expect.ts';
import type { Asked, Governor, Permission } from './permission.ts';

/** How a step ended. drained: this kernel ends in the middle of it, and the next life goes on. */
export type StepEnd =
  | { is: 'done'; goal: Goal }
  | { is: 'waiting'; goal: Goal }
  /** The goal is on disk as one that is taken back, or that is uncertain. */
  | { is: 'failed' | 'uncertain'; goal: Goal }
  | { is: 'drained'; goal: Goal };

export interface StepParts {
  ctx: KernelContext;
  book: Book;
  governor: Governor;
}

/** Steps one after the other: permission, intent on disk, call, answer on disk, verified. */
export interface Stepper {
  /** The step that comes next, or what is left of it after a crash. */
  take(goal: Goal): Promise<StepEnd>;
}

export function createStepper({ ctx, book, governor }: StepParts): Stepper {
  const leftMs = (goal: Goal): number => Math.max(1, goal.deadlineMs - ctx.clock.wallMs());

  /** Asks for what is not granted yet. Undefined: it is permitted, and `goal.granted` says by which decision. */
  const permitted = async (
    goal: Goal,
    what: 'act' | 'undo',
    { kernel, verb }: Pick<Deed, 'kernel' | 'verb'>,
  ): Promise<{ goal: Goal; end?: StepEnd }> => {
    const held = goal.granted[what];
    if (held && (what === 'undo' || ctx.clock.wallMs() - held.atMs < GOAL_LIMITS.grantMs)) return { goal };
    const asked = askedFor(goal, what, { kernel, verb }, leftMs(goal));
    const isPending = goal.waiting?.for === 'approval' && goal.waiting.what === what;
    // What was asked for already is asked without a new request: a denial must not become a new question.
    const said: Permission = isPending ? await governor.decide(asked) : await governor.request(asked);
    const wait = (waiting: GoalStanding['waiting'], reason: string): { goal: Goal; end: StepEnd } => {
      const next = book.stand(goal, { state: 'waiting_approval', waiting, reason });
      return { goal: next, end: { is: 'waiting', goal: next } };
    };
    if (said.outcome === 'permit') {
      const granted = { ...goal.granted, [what]: { decision: said.decision, atMs: ctx.clock.wallMs() } };
      return { goal: book.stand(goal, { state: 'running', waiting: null, granted, reason: '' }) };
    }
    if (said.outcome === 'unreachable') {
      const waiting = isPending ? goal.waiting : { for: 'governance' as const, what, approval: null, why: said.why };
      return wait(waiting, said.why);
    }
    const name = `${kernel}.${verb}`;
    if (said.outcome === 'needs_approval' && said.approval !== null) {
      const waiting = { for: 'approval' as const, what, approval: said.approval, why: said.why };
      return wait(waiting, `APPROVAL_NEEDED: ${name} for ${goal.principal}: ${said.why}`);
    }
    const why =
      said.outcome === 'forbid'
        ? `FORBIDDEN: governance forbids ${name} for ${goal.principal}: ${said.why}`
        : `APPROVAL_NEEDED: the request for ${name} was denied, or its time is over`;
    const next = book.stand(goal, turnedBack('compensated', why));
    return { goal: next, end: { is: 'failed', goal: next } };
  };

  /** Whether it was done, where that is not known: by what the plan declares, and only by that. */
  const settle = async (
    goal: Goal,
    step: Step,
    entry: Entry,
    entries: readonly Entry[],
  ): Promise<'done' | 'again' | 'not_done' | 'unknown'> => {
    if (step.repeat !== 'no') return entry.attempt < GOAL_LIMITS.attempts ? 'again' : 'unknown';
    if (!step.verify?.call) return 'unknown';
    const told = await verdict(goal, step, entries, undefined);
    return told.verdict === 'holds' ? 'done' : told.verdict === 'broken' ? 'not_done' : 'unknown';
  };

  const verdict = async (goal: Goal, step: Step, entries: readonly Entry[], answer: unknown): Promise<Told> => {
    const { verify } = step;
    if (!verify) return { verdict: 'holds' };
    const scope = scopeOf(goal, entries, goal.at);
    // Its own answer may be spoken of as `answer` and by its name.
    const own = answer === undefined ? {} : { answer };
    const steps = answer === undefined ? scope['steps'] : { ...(scope['steps'] as object), [step.id]: { answer } };
    try {
      const call = verify.call && filled(verify.call, scope);
      return await look(ctx, { ...verify, call }, { ...scope, ...own, steps }, goal.correlation);
    } catch (error) {
      return { verdict: 'unknown', why: words(error) };
    }
  };

  /** Calls until it is done, or may not be called again. */
  const call = async (
    given: Goal,
    step: Step,
    deed: Deed,
  ): Promise<{ goal: Goal; entry: Entry; end: DeedEnd | 'drained' }> => {
    let goal = given;
    const decision = goal.granted.act!.decision;
    for (let tries = 1; ; tries++) {
      const intended = book.intend(goal, {
        ...{ goal: goal.id, step: goal.at, kind: 'act', ...deed, key: keyOf(goal.id, step.id) },
        ...{ decision, startedMs: ctx.clock.wallMs() },
      });
      goal = intended.goal;
      const { entry } = intended;
      const deadlineMs = Math.min(step.deadlineMs, leftMs(goal));
      const end = await perform(ctx, deed, { deadlineMs, correlation: goal.correlation });
      // An answer that came while the bus was closing says nothing: the intent stays open for the next life.
      if (end.outcome !== 'done' && ctx.signal.aborted) return { goal, entry, end: 'drained' };
      const mayRepeat = step.repeat !== 'no' && tries < step.attempts && leftMs(goal) > 1;
      if (end.outcome === 'done' || end.outcome === 'refused' || !mayRepeat) return { goal, entry, end };
      book.answer(entry, { state: end.outcome, answer: null, error: end.error }, goal);
      await pause(step.delayMs, ctx.signal);
      if (ctx.signal.aborted) return { goal, entry, end: 'drained' };
    }
  };

  const next = (goal: Goal, entry: Entry, answer: unknown): Goal =>
    book.answer(entry, { state: 'done', answer, error: null }, goal, {
      ...{ at: goal.at + 1, granted: {}, state: 'running', waiting: null, reason: '' },
    });

  return {
    async take(given) {
      let goal = given;
      const step = goal.plan.steps[goal.at]!;
      const entries = book.entries(goal.id);
      const open = entries.find(({ step: at, kind }) => at === goal.at && kind === 'act');
      if (open && (open.state === 'intent' || open.state === 'unknown')) {
        const settled = await settle(goal, step, open, entries);
        if (settled === 'done') return { is: 'done', goal: next(goal, open, null) };
        if (settled === 'unknown' || (settled === 'not_done' && open.attempt >= GOAL_LIMITS.attempts)) {
          const why = `whether step ${step.id} (${open.kernel}.${open.verb}) was done is not known: this kernel ended before its answer came`;
          return {
            is: 'uncertain',
            goal: book.answer(open, { state: 'unknown', answer: null, error: why }, goal, unsure(why)),
          };
        }
      }
      let deed: Deed;
      let undo: Deed | null;
      try {
        const scope = scopeOf(goal, entries, goal.at);
        deed = filled(step.call, scope);
        undo = step.compensate && { kernel: step.compensate.kernel, verb: step.compensate.verb, input: null };
      } catch (error) {
        const why = `step ${step.id} was not begun: ${words(error)}`;
        return { is: 'failed', goal: book.stand(goal, turnedBack('compensated', why)) };
      }
      // What could not be taken back is not begun; and the permission to act is asked for last, right before it is used.
      if (undo) {
        const asked = await permitted(goal, 'undo', undo);
        if (asked.end) return asked.end;
        goal = asked.goal;
      }
      const asked = await permitted(goal, 'act', deed);
      if (asked.end) return asked.end;
      goal = asked.goal;
      if (ctx.signal.aborted) return { is: 'drained', goal };

      const called = await call(goal, step, deed);
      goal = called.goal;
      const { entry, end } = called;
      if (end === 'drained') return { is: 'drained', goal };
      if (end.outcome === 'done') {
        const told = await verdict(goal, step, entries, end.answer ?? null);
        if (told.verdict === 'holds') return { is: 'done', goal: next(goal, entry, end.answer) };
        const why = `step ${step.id} was done, but not as it must be: ${told.why}`;
        const ended = { state: 'done' as const, answer: end.answer, error: told.why };
        return { is: 'failed', goal: book.answer(entry, ended, goal, turnedBack('compensated', why)) };
      }
      if (end.outcome === 'unknown' && step.repeat === 'no') {
        const settled = await settle(goal, step, entry, entries);
        if (settled === 'done') return { is: 'done', goal: next(goal, entry, null) };
        if (settled === 'unknown') {
          const why = `whether step ${step.id} (${deed.kernel}.${deed.verb}) was done is not known: ${end.error}`;
          const ended = { state: 'unknown' as const, answer: null, error: end.error };
          return { is: 'uncertain', goal: book.answer(entry, ended, goal, unsure(why)) };
        }
      }
      const isFailed = end.outcome === 'failed' && step.verify?.call != null;
      // It answered with an error, and a look says that nothing of it was done: there is nothing to take back.
      const isNotDone = isFailed && (await verdict(goal, step, entries, undefined)).verdict === 'broken';
      // In one transaction: a crash in between must not leave a step that would be done again.
      const why = `step ${step.id} (${deed.kernel}.${deed.verb}) failed: ${end.error}`;
      const ended = { state: isNotDone ? ('refused' as const) : end.outcome, answer: null, error: end.error };
      return { is: 'failed', goal: book.answer(entry, ended, goal, turnedBack('compensated', why)) };
    },
  };
}

/** Where a goal stands when what was done is to be taken back. */
export function turnedBack(as: 'compensated' | 'aborted', why: string): Partial<GoalStanding> {
  return { state: 'compensating', ending: { as, why }, reason: why, waiting: null };
}

function unsure(why: string): Partial<GoalStanding> {
  return { state: 'uncertain', reason: why, waiting: null };
}

export function askedFor(
  goal: Goal,
  what: 'act' | 'undo',
  { kernel, verb }: Pick<Deed, 'kernel' | 'verb'>,
  leftMs: number,
): Asked {
  const step = goal.plan.steps[goal.at]!;
  return {
    ...{
      principal: goal.principal,
      kernel,
      verb,
      goal: goal.id,
      plan: goal.plan.id,
      correlation: goal.correlation,
      leftMs,
    },
    why: `${what === 'undo' ? 'to take back' : 'to do'} step ${step.id} of "${goal.plan.title}" for: ${goal.text}`,
  };
}

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

/** @throws GraceError `BAD_INPUT`, `TOO_LARGE` */
export function filled({ kernel, verb, input }: Call, scope: Readonly<Record<string, unknown>>): Deed {
  const name = fill(kernel, scope);
  if (typeof name !== 'string' || !NAME.test(name))
    throw new GraceError('BAD_INPUT', `${kernel} is ${JSON.stringify(name)?.slice(0, 60)}, which is no kernel's id`);
  return { kernel: name, verb, input: fill(input, scope) };
}
