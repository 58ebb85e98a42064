import { createRedactor, GraceError, type VerbMeta } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import type { Deadlines } from './act/deadlines.ts';
import type { Governor } from './act/permission.ts';
import type { Runner } from './act/runner.ts';
import { rehearse } from './choose/rehearse.ts';
import { type Book, PROBE_PREFIX } from './goals/book.ts';
import { GOAL_LIMITS, GOAL_STATES, type Goal, isOver } from './goals/goal.ts';
import type { Outbox } from './goals/outbox.ts';
import { brief, explained, whole } from './goals/show.ts';
import { planGoal, type Submitted, submitGoal } from './goals/submit.ts';
import type { Library } from './plans/library.ts';

export interface VerbParts {
  ctx: KernelContext;
  library: Library;
  book: Book;
  governor: Governor;
  outbox: Outbox;
  runner: Runner;
  deadlines: Deadlines;
}

/** May step and abort the goals of others. */
const OPERATORS = ['cli', 'supervisor'];
const WAIT_MAX_MS = 60_000;
/** An answer must be on its way before its deadline. */
const MARGIN_MS = 100;

const id = is.string({ max: 64 });
const GOAL_SHAPE = {
  goal: is.string({ max: Number.MAX_SAFE_INTEGER, what: 'a goal, or the id of a plan' }),
  event: is.optional(is.record()),
  input: is.optional(is.record()),
};

export function createVerbs(parts: VerbParts): Record<string, Verb> {
  const { ctx, library, book, governor, outbox, runner, deadlines } = parts;

  const wait = async (goal: string, ms: number, meta: VerbMeta): Promise<void> =>
    await runner.settled(goal, Math.min(ms, meta.deadlineMs - MARGIN_MS));
  const shown = (goal: string): Record<string, unknown> => whole(book.get(goal), book.entries(goal));

  /** A goal that may be stepped or aborted by whoever asks. */
  const mine = (goal: string, meta: VerbMeta): Goal => {
    const found = visible(goal);
    if (found.principal !== meta.from && !OPERATORS.includes(meta.from))
      throw new GraceError('FORBIDDEN', `${goal} was submitted by ${found.principal}; ${meta.from} may not change it`, {
        id: goal,
      });
    if (isOver(found.state))
      throw new GraceError('CONFLICT', `${goal} has ended: ${found.state}, ${found.reason}`.slice(0, 500), {
        state: found.state,
      });
    return found;
  };
  const visible = (goal: string): Goal => {
    if (goal.startsWith(PROBE_PREFIX))
      throw new GraceError('NOT_FOUND', `there is no goal ${JSON.stringify(goal)}`, { id: goal });
    return book.get(goal);
  };

  return {
    async submit(input, meta: VerbMeta) {
      const given = readInput(input, {
        ...GOAL_SHAPE,
        mode: is.optional(is.oneOf(['run', 'step'])),
        key: is.optional(is.string({ max: 200 })),
        waitMs: is.optional(is.number({ min: 0, max: WAIT_MAX_MS })),
      });
      const submitted = { ...readGoal(given), mode: given.mode ?? 'run', key: given.key ?? null };
      const { goal, repeated } = await submitGoal({ ctx, library, book, outbox }, submitted, meta);
      if (!repeated && goal.mode === 'run') runner.go(goal.id);
      else deadlines.arm();
      await wait(goal.id, given.waitMs ?? 0, meta);
      return { ...shown(goal.id), repeated };
    },
    async plan(input, meta: VerbMeta) {
      const submitted: Submitted = { ...readGoal(readInput(input, GOAL_SHAPE)), mode: 'run', key: null };
      const goal = await planGoal(ctx, library, submitted, meta);
      const steps = await rehearse(goal, governor);
      return {
        ...explained(goal),
        input: goal.input,
        context: goal.context,
        steps,
        post: goal.plan.post?.expect ?? null,
        permitted: steps.every(({ permission, compensate }) =>
          [permission, ...(compensate ? [compensate.permission] : [])].every(({ outcome }) => outcome === 'permit'),
        ),
      };
    },
    async step(input, meta: VerbMeta) {
      const given = readInput(input, { id, happened: is.optional(is.boolean()) });
      const goal = mine(given.id, meta);
      if (runner.isBusy(goal.id))
        throw new GraceError('CONFLICT', `${goal.id} is under way; try again when its step is over`);
      if (goal.state === 'uncertain') settle(goal, given.happened);
      else if (given.happened !== undefined)
        throw new GraceError('CONFLICT', `input.happened: ${goal.id} is ${goal.state}; nothing about it is uncertain`);
      else if (goal.mode === 'run')
        throw new GraceError(
          'CONFLICT',
          `${goal.id} runs by itself and is ${goal.state}; submit a goal with mode "step" to step it`,
        );
      runner.go(goal.id);
      await wait(goal.id, WAIT_MAX_MS, meta);
      return shown(goal.id);
    },
    async abort(input, meta: VerbMeta) {
      const given = readInput(input, { id, reason: is.optional(is.string({ max: 300 })) });
      const goal = mine(given.id, meta);
      runner.end(goal.id, `aborted by ${meta.from}${given.reason === undefined ? '' : `: ${given.reason}`}`);
      await wait(goal.id, WAIT_MAX_MS, meta);
      return shown(goal.id);
    },
    goals(input) {
      const given = readInput(input, {
        id: is.optional(id),
        state: is.optional(is.oneOf(GOAL_STATES)),
        by: is.optional(is.string({ max: 100 })),
        limit: is.optional(is.number({ min: 1, max: 500, integer: true })),
      });
      if (given.id !== undefined) return shown(visible(given.id).id);
      const { state, by: principal, limit = 50 } = given;
      const filter = { ...(state === undefined ? {} : { state }), ...(principal === undefined ? {} : { principal }) };
      return book.list({ ...filter, limit }).map(brief);
    },
    plans(input) {
      const given = readInput(input, { id: is.optional(id) });
      if (given.id !== undefined) return library.get(given.id);
      return library.all().map((plan) => ({
        ...{ id: plan.id, title: plan.title, patterns: plan.patterns, keywords: plan.keywords },
        inputs: Object.fromEntries(
          Object.entries(plan.inputs).map(([name, { type, required, title }]) => [name, { type, required, title }]),
        ),
        steps: plan.steps.map(({ call }) => `${call.kernel}.${call.verb}`),
      }));
    },
    status(input) {
      readInput(input, {});
      return {
        kernel: ctx.id,
        incarnation: ctx.incarnation,
        plans: library.all().length,
        planner: 'none: plans are chosen by their patterns and keywords',
        goals: book.counts(),
        open: book.openCount(),
        ...runner.status(),
        outbox: outbox.status(),
      };
    },
  };

  /** Somebody knows whether the step was done, which nothing here could tell. */
  function settle(goal: Goal, happened: boolean | undefined): void {
    const entry = book.entries(goal.id).find(({ step, kind }) => step === goal.at && kind === 'act');
    const change = { state: 'running' as const, reason: '', granted: {} };
    if (!entry || goal.ending || (entry.state !== 'unknown' && entry.state !== 'intent')) {
      // It stopped elsewhere than in a call: it goes on from there.
      book.stand(goal, { ...change, state: goal.ending ? 'compensating' : 'running' });
      return;
    }
    if (happened === undefined) {
      throw new GraceError(
        'CONFLICT',
        `${goal.id} is uncertain: say with happened (true or false) whether ${entry.kernel}.${entry.verb} was done, or abort it: ${goal.reason}`.slice(
          0,
          800,
        ),
      );
    }
    if (happened)
      book.answer(entry, { state: 'done', answer: null, error: 'somebody said that it was done' }, goal, {
        ...change,
        at: goal.at + 1,
      });
    else
      book.answer(entry, { state: 'refused', answer: null, error: 'somebody said that it was not done' }, goal, change);
  }
}

function readGoal(given: {
  goal: string;
  event: Record<string, unknown> | undefined;
  input: Record<string, unknown> | undefined;
}): Pick<Submitted, 'text' | 'event' | 'input'> {
  if (given.goal.length > GOAL_LIMITS.textChars)
    throw new GraceError(
      'TOO_LARGE',
      `input.goal: at most ${GOAL_LIMITS.textChars} characters, these are ${given.goal.length}`,
    );
  const text = given.goal.trim();
  if (text === '') throw new GraceError('BAD_INPUT', 'input.goal: expected a goal, or the id of a plan, got blanks');
  const goal = {
    text,
    event: asJson(given.event, 'input.event') ?? null,
    input: asJson(given.input, 'input.input') ?? {},
  };
  const shown = createRedactor().value(goal);
  for (const [part, place] of [
    ['text', 'goal'],
    ['event', 'event'],
    ['input', 'input'],
  ] as const)
    if (JSON.stringify(shown[part]) !== JSON.stringify(goal[part]))
      throw new GraceError(
        'BAD_INPUT',
        `input.${place}: it holds a secret by its name (a password, token, key), and a goal is kept on disk; the kernel that needs a secret gets it from secret_manager`,
        { field: place },
      );
  return goal;
}

/** What is kept on disk before it is used must be what is used. */
function asJson<T extends object>(value: T | undefined, place: string): T | undefined {
  if (value === undefined) return undefined;
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new GraceError('BAD_INPUT', `${place}: expected JSON: ${(error as Error).message.split('\n')[0]}`, { place });
  }
  if (text.length > GOAL_LIMITS.eventChars)
    throw new GraceError(
      'TOO_LARGE',
      `${place}: at most ${GOAL_LIMITS.eventChars} characters as JSON, these are ${text.length}`,
    );
  return JSON.parse(text) as T;
}
