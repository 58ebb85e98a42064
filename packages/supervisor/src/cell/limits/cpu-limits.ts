import { type CellLimits, type CpuMethod, GraceError } from '@grace/contracts';
import { type ThreadHandle, within } from '../thread-handle.ts';
import { type GroupHold, groupHold } from './group-hold.ts';
import { createNiceness, type Niceness } from './niceness.ts';

/** Holds a thread to a share of one core by pausing it again and again; needs no privilege. */
export interface DutyCycle {
  /** From now on, or with another share than before. */
  hold(thread: ThreadHandle, cpu: number): Promise<void>;
  /** Also of a thread that has ended, or was never held. */
  release(thread: ThreadHandle): Promise<void>;
  stop(): void;
}

export interface HeldLimit {
  /** What really holds the thread; `none`: nothing does. */
  method: CpuMethod;
  /** Share of one core; null: not held. */
  cpu: number | null;
}

/** CPU limits of the threads of one cell. */
export interface CpuLimits {
  /**
   * Holds the thread to a share of one core, or lifts that; resolves when it is so. Falls back to the duty cycle when a control group refuses.
   * @throws GraceError `KERNEL_GONE` when the thread has ended
   */
  limit(thread: ThreadHandle, cpu: number | null): Promise<HeldLimit>;
  /** The supervisor names other control groups than before: what is held moves there. */
  moved(): Promise<void>;
  /** Lifts everything and removes the groups. */
  stop(): Promise<void>;
}

export interface CpuLimitParts {
  limits(): CellLimits | null;
  dutyCycle: DutyCycle | null;
  niceness?: Niceness;
  /** A control group refused what it gave before, or at all. */
  onRefused?(thread: ThreadHandle, error: Error): void;
}

interface Held {
  cpu: number | null;
  group: GroupHold | null;
  duty: boolean;
  /** Orders for one thread are done one after the other. */
  last: Promise<unknown>;
  ended: boolean;
}

/** Putting a thread into another group takes 5-15 ms, pausing one up to its next JavaScript; past this something is wrong, ms. */
const DEADLINE_MS = 3000;

export function createCpuLimits(parts: CpuLimitParts): CpuLimits {
  const held = new Map<ThreadHandle, Held>();
  const niceness = parts.niceness ?? createNiceness();

  const byGroup = async (thread: ThreadHandle, state: Held, limits: CellLimits, cpu: number): Promise<boolean> => {
    const wanted = groupHold(limits, thread);
    if (wanted === null) return false;
    const group = state.group?.group === wanted.group ? state.group : wanted;
    try {
      await within(group.hold(cpu), DEADLINE_MS, `${thread.kernel} was not put into ${group.group}`);
    } catch (error) {
      parts.onRefused?.(thread, error as Error);
      await leave(group);
      if (state.group === group) state.group = null;
      return false;
    }
    const former = state.group;
    state.group = group;
    if (former && former !== group) await leave(former);
    return true;
  };

  const leave = (group: GroupHold): Promise<void> =>
    within(group.leave(), DEADLINE_MS, `${group.group} was not left`).catch(() => {});

  const byDuty = async (thread: ThreadHandle, state: Held, cpu: number): Promise<boolean> => {
    if (parts.dutyCycle === null) return false;
    state.duty = true;
    try {
      await within(parts.dutyCycle.hold(thread, cpu), DEADLINE_MS, `${thread.kernel} was not paused`);
    } catch (error) {
      parts.onRefused?.(thread, error as Error);
      await endDuty(thread, state);
      return false;
    }
    niceness.set(thread.tid, cpu);
    return true;
  };

  const endDuty = async (thread: ThreadHandle, state: Held): Promise<void> => {
    if (!state.duty) return;
    state.duty = false;
    // A thread that has ended has no number any more, or somebody else has it.
    if (!state.ended) niceness.lift(thread.tid);
    await within(parts.dutyCycle!.release(thread), DEADLINE_MS, `${thread.kernel} was not released`).catch(() => {});
  };

  const lift = async (thread: ThreadHandle, state: Held): Promise<void> => {
    await endDuty(thread, state);
    if (state.group) await leave(state.group);
    state.group = null;
    thread.cap = null;
    state.cpu = null;
  };

  const apply = async (thread: ThreadHandle, state: Held, cpu: number | null): Promise<HeldLimit> => {
    const limits = parts.limits();
    const method = limits?.method ?? 'none';
    if (state.ended) throw new GraceError('KERNEL_GONE', `the thread of ${thread.kernel} has ended`);
    if (cpu === null) {
      await lift(thread, state);
      return { method, cpu: null };
    }
    // Before it is held: a thread must not be judged for lateness that its limit makes.
    thread.cap = cpu;
    state.cpu = cpu;
    if (limits && (await byGroup(thread, state, limits, cpu))) {
      await endDuty(thread, state);
      return { method, cpu };
    }
    if (state.group) await leave(state.group);
    state.group = null;
    if (method !== 'none' && (await byDuty(thread, state, cpu))) return { method: 'inspector', cpu };
    await lift(thread, state);
    return { method: 'none', cpu: null };
  };

  const stateOf = (thread: ThreadHandle): Held => {
    let state = held.get(thread);
    if (!state) {
      const fresh: Held = { cpu: null, group: null, duty: false, last: Promise.resolve(), ended: false };
      state = fresh;
      held.set(thread, fresh);
      thread.worker.once('exit', () => {
        fresh.ended = true;
        held.delete(thread);
        void inTurn(fresh, () => lift(thread, fresh));
      });
    }
    return state;
  };

  const inTurn = <T>(state: Held, work: () => Promise<T>): Promise<T> => {
    const next = state.last.then(work);
    state.last = next.catch(() => {});
    return next;
  };

  return {
    async limit(thread, cpu) {
      if (thread.worker.threadId === -1)
        throw new GraceError('KERNEL_GONE', `the thread of ${thread.kernel} has ended`);
      const state = stateOf(thread);
      return await inTurn(state, () => apply(thread, state, cpu));
    },
    async moved() {
      await Promise.allSettled(
        Array.from(held, ([thread, state]) =>
          inTurn(state, async () => {
            if (state.cpu !== null) await apply(thread, state, state.cpu);
          }),
        ),
      );
    },
    async stop() {
      await Promise.allSettled(Array.from(held, ([thread, state]) => inTurn(state, () => lift(thread, state))));
      parts.dutyCycle?.stop();
    },
  };
}
