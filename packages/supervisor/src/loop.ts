import { type Clock, GraceError } from '@grace/contracts';
import { decide } from './core/decide.ts';
import type { Command, CoreEvent } from './core/events.ts';
import type { CoreState } from './core/state.ts';
import { nextDue } from './core/tick.ts';

/** The decision core in motion: events go in one at a time, commands go out, and whoever waits for a state looks after each step. */
export interface Loop {
  readonly state: CoreState;
  emit(event: CoreEvent): void;
  /** Resolves with what `look` finds; rejects with what it throws, or with `DEADLINE`. */
  until<T>(what: string, look: () => T | undefined, deadlineMs: number): Promise<T>;
  stop(): void;
}

export function createLoop(initial: CoreState, clock: Clock, execute: (command: Command) => void): Loop {
  let state = initial;
  const queue: CoreEvent[] = [];
  const waiters = new Set<() => void>();
  let busy = false;
  let dueTimer: NodeJS.Timeout | undefined;

  const emit = (event: CoreEvent): void => {
    queue.push(event);
    // What an order causes at once is taken after it.
    if (busy) return;
    busy = true;
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { state: after, commands } = decide(state, next, clock.monoMs());
        state = after;
        // A decision is on record whole before any of it is done: a supervisor that dies in between has only given no orders, and those are
        // given again by the one that finds the record.
        for (const command of commands) if (command.do === 'journal') execute(command);
        for (const command of commands) if (command.do !== 'journal') execute(command);
      }
    } finally {
      busy = false;
    }
    for (const waiter of [...waiters]) waiter();
    clearTimeout(dueTimer);
    const due = nextDue(state);
    if (Number.isFinite(due)) dueTimer = setTimeout(() => emit({ t: 'tick' }), Math.max(1, due - clock.monoMs()));
  };

  return {
    get state() {
      return state;
    },
    emit,
    until: (what, look, deadlineMs) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          try {
            const found = look();
            if (found === undefined) return;
            done();
            resolve(found);
          } catch (error) {
            done();
            reject(error);
          }
        };
        const timer = setTimeout(() => {
          done();
          reject(new GraceError('DEADLINE', `${what}: not within ${Math.round(deadlineMs)} ms`));
        }, deadlineMs);
        const done = (): void => {
          clearTimeout(timer);
          waiters.delete(check);
        };
        waiters.add(check);
        check();
      }),
    stop: () => clearTimeout(dueTimer),
  };
}
