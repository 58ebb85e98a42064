import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from '../goals/book.ts';
import { GOAL_LIMITS, type Goal, type GoalStanding, isOver, scopeOf } from '../goals/goal.ts';
import type { Expectation } from '../plans/plan.ts';
import { words } from './deed.ts';
import { look, type Told } from './expect.ts';
import type { Herald } from './herald.ts';
import type { Governor } from './permission.ts';
import { createStepper, filled, turnedBack } from './step.ts';
import { takeBack } from './undo.ts';

export interface Runner {
  /** Goes on with a goal until it ends or waits; in mode step, for one step. */
  go(id: string): void;
  /** It is taken out of the book: nobody goes on with it. */
  forget(id: string): void;
  /** Whether it is under way now. */
  isBusy(id: string): boolean;
  /** Resolves when the goal has ended, waits or rests, or `ms` are over. */
  settled(id: string, ms: number): Promise<void>;
  /** Ends it: what was done is taken back. */
  end(id: string, why: string): void;
  /** Goes on with what the life before left. @returns how many */
  resume(): number;
  /** Governance may answer now: those that wait for it ask again. */
  governanceIsBack(): void;
  finish(): Promise<void>;
  status(): { running: number; queued: number; waiting: number };
}

export interface RunnerParts {
  ctx: KernelContext;
  book: Book;
  governor: Governor;
  herald: Herald;
  /** Somebody approves, or governance comes back: looked for so often while a goal waits, ms. */
  lookMs: number;
}

export function createRunner({ ctx, book, governor, herald, lookMs }: RunnerParts): Runner {
  const stepper = createStepper({ ctx, book, governor });
  const running = new Map<string, Promise<void>>();
  const queue = new Set<string>();
  const waiting = new Set<string>();
  const forgotten = new Set<string>();
  const watchers = new Map<string, Set<() => void>>();
  let timer: NodeJS.Timeout | undefined;

  const close = (goal: Goal, change: Partial<GoalStanding>): Goal => {
    const next = book.stand(goal, { ...change, waiting: null, granted: {} }, () => herald.note({ ...goal, ...change }));
    herald.tell(next);
    return next;
  };

  const turnBack = (goal: Goal, as: 'compensated' | 'aborted', why: string): Goal =>
    book.stand(goal, turnedBack(as, why));

  const compensate = async (goal: Goal): Promise<Goal | undefined> => {
    const { as, why } = goal.ending!;
    const { is, back, left, failed } = await takeBack(ctx, book, goal);
    if (is === 'drained') return undefined;
    const told = [
      ...(back.length > 0 ? [`taken back: ${back.join(', ')}`] : []),
      ...(left.length > 0 ? [`nothing takes back: ${left.join(', ')}`] : []),
      ...(failed.length > 0 ? [`not taken back: ${failed.join(', ')}`] : []),
    ];
    const state =
      failed.length > 0 ? 'failed' : as === 'aborted' ? 'aborted' : back.length > 0 ? 'compensated' : 'failed';
    return close(goal, { state, reason: [why, ...told].join('; ') });
  };

  const afterAll = async (goal: Goal, post: Expectation): Promise<Told> => {
    const scope = scopeOf(goal, book.entries(goal.id), goal.at);
    try {
      const call = post.call && filled(post.call, scope);
      return await look(ctx, { ...post, call }, scope, goal.correlation);
    } catch (error) {
      return { verdict: 'unknown', why: words(error) };
    }
  };

  const check = async (goal: Goal): Promise<Goal> => {
    const { post } = goal.plan;
    if (post) {
      const told = await afterAll(goal, post);
      if (told.verdict !== 'holds')
        return turnBack(goal, 'compensated', `all steps were done, but what must be so then is not: ${told.why}`);
    }
    return book.stand(goal, { state: 'verified', reason: '' });
  };

  /** One goal until it ends, waits, or has done its one step. */
  const drive = async (id: string): Promise<void> => {
    let goal = book.get(id);
    let steps = 0;
    while (!ctx.signal.aborted && !isOver(goal.state)) {
      const why = book.endAsked(id);
      if (why !== undefined && goal.state !== 'compensating' && goal.state !== 'verified') {
        goal = turnBack(goal, 'aborted', why);
      } else if (goal.state === 'compensating') {
        const next = await compensate(goal);
        if (!next) return;
        goal = next;
      } else if (goal.state === 'verified') {
        goal = close(goal, { state: 'done', reason: 'all steps were done, and all is as it must be' });
      } else if (ctx.clock.wallMs() > goal.deadlineMs && goal.state !== 'uncertain') {
        goal = turnBack(goal, 'compensated', 'its time is over');
      } else if (goal.state === 'uncertain') return;
      else if (goal.at >= goal.plan.steps.length) goal = await check(goal);
      else {
        if (goal.mode === 'step' && steps > 0) return;
        if (goal.state === 'planned') goal = book.stand(goal, { state: 'running', reason: '' });
        const end = await stepper.take(goal);
        goal = end.goal;
        if (end.is === 'done') steps++;
        else if (end.is === 'uncertain') {
          ctx.log.warn('a goal is uncertain: settle it by step or abort', { goal: id, why: goal.reason });
        } else if (end.is === 'waiting' && book.endAsked(id) === undefined) {
          waiting.add(id);
          arm();
          return;
        } else if (end.is === 'drained') return;
      }
    }
  };

  const pump = (): void => {
    for (const id of queue) {
      if (running.size >= GOAL_LIMITS.lanes || ctx.signal.aborted) return;
      if (running.has(id)) continue;
      queue.delete(id);
      waiting.delete(id);
      const work = drive(id)
        .catch((error: unknown) => fail(id, error))
        .finally(() => {
          running.delete(id);
          forgotten.delete(id);
          tellWatchers(id);
          pump();
        });
      running.set(id, work);
    }
  };

  /** A mistake of this kernel must not leave a goal that is under way for ever. */
  const fail = (id: string, error: unknown): void => {
    if (ctx.signal.aborted || forgotten.has(id)) return;
    ctx.log.error('a goal could not be driven on', { goal: id, error: words(error) });
    try {
      const goal = book.get(id);
      if (!isOver(goal.state))
        book.stand(goal, { state: 'uncertain', reason: `it could not be driven on: ${words(error)}` });
    } catch (second) {
      ctx.log.error('a goal could not be put down', { goal: id, error: words(second) });
    }
  };

  const tellWatchers = (id: string): void => {
    if (queue.has(id)) return;
    for (const tell of watchers.get(id) ?? []) tell();
  };

  const arm = (): void => {
    if (timer || waiting.size === 0 || ctx.signal.aborted) return;
    timer = setTimeout(() => {
      timer = undefined;
      lookAgain()
        .catch((error: unknown) => ctx.log.error('waiting goals could not be looked at', { error: words(error) }))
        .finally(arm);
    }, lookMs);
  };

  /** Asks once which requests are open still, for all that wait: each question to governance itself is a decision on record. */
  const lookAgain = async (): Promise<void> => {
    const goals = [...waiting].map((id) => book.get(id));
    const isAsked = goals.some(({ waiting: on }) => on?.for === 'approval');
    const pending = isAsked ? await governor.pending() : undefined;
    if (ctx.signal.aborted) return;
    for (const { id, waiting: on, deadlineMs } of goals) {
      const isOpen = on?.for === 'approval' && (pending === undefined || pending.has(on.approval ?? ''));
      if (!isOpen || ctx.clock.wallMs() > deadlineMs) runner.go(id);
    }
  };

  const runner: Runner = {
    go(id) {
      queue.add(id);
      pump();
    },
    forget(id) {
      queue.delete(id);
      waiting.delete(id);
      if (running.has(id)) forgotten.add(id);
    },
    isBusy: (id) => running.has(id) || queue.has(id),
    async settled(id, ms) {
      if (!runner.isBusy(id) || ms <= 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timeout = setTimeout(resolve, ms);
      const mine = watchers.get(id) ?? new Set();
      watchers.set(id, mine.add(resolve));
      await promise;
      clearTimeout(timeout);
      mine.delete(resolve);
      if (mine.size === 0) watchers.delete(id);
    },
    end(id, why) {
      book.askEnd(id, why);
      runner.go(id);
    },
    resume() {
      const left = book.unfinished();
      for (const goal of left) {
        if (goal.state === 'uncertain') continue;
        if (goal.state === 'waiting_approval') waiting.add(goal.id);
        else if (goal.mode === 'run' || goal.state === 'compensating' || goal.state === 'verified') queue.add(goal.id);
      }
      pump();
      arm();
      return left.length;
    },
    governanceIsBack() {
      for (const id of waiting) if (book.get(id).waiting?.for === 'governance') runner.go(id);
    },
    async finish() {
      clearTimeout(timer);
      for (const watching of watchers.values()) for (const tell of watching) tell();
      await Promise.allSettled(running.values());
    },
    status: () => ({ running: running.size, queued: queue.size, waiting: waiting.size }),
  };
  return runner;
}
