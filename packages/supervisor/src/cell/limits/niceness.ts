import { constants, getPriority, setPriority } from 'node:os';

/** From this share down a thread is also made nice. */
const NICE_FROM = 0.1;
/** Each step of niceness is a factor in the weight of a thread (sched(7), kernel/sched/core.c, sched_prio_to_weight). */
const STEP = 1.25;

/** Niceness of single threads: an addition for a thread that runs in bursts between pauses, so that whoever ends the burst runs first. */
export interface Niceness {
  set(tid: number, cpu: number): void;
  lift(tid: number): void;
}

/**
 * Without privilege a raised niceness could never be lowered again, so it is not used then. A thread in a control group of its own is not
 * made nice: niceness weighs only threads of one group against each other.
 * @param mayLower whether this process may lower a niceness
 */
export function createNiceness(mayLower: () => boolean = mayLowerNiceness): Niceness {
  let allowed: boolean | undefined;
  const change = (tid: number, nice: number): void => {
    try {
      if (getPriority(tid) !== nice) setPriority(tid, nice);
    } catch {
      // The thread has ended.
    }
  };
  return {
    set(tid, cpu) {
      if (tid === 0 || process.platform !== 'linux') return;
      allowed ??= mayLower();
      if (allowed) change(tid, niceOf(cpu));
    },
    lift(tid) {
      if (tid !== 0 && allowed) change(tid, 0);
    },
  };
}

/**
 * The niceness with which a thread still gets its share against one busy thread of the usual priority: 10 at a tenth of a core, 19 at a
 * hundredth. More would starve it on a busy machine: at 20 % of a core, niceness 15 left it 1.5 %.
 */
export function niceOf(cpu: number): number {
  if (cpu > NICE_FROM) return 0;
  return Math.min(constants.priority.PRIORITY_LOW, Math.round(Math.log((1 - cpu) / cpu) / Math.log(STEP)));
}

/** Tried where it cannot do harm: below the main thread's own niceness, from where the way back is always open. */
function mayLowerNiceness(): boolean {
  try {
    const own = getPriority(process.pid);
    if (own <= constants.priority.PRIORITY_HIGHEST) return true;
    setPriority(process.pid, own - 1);
    setPriority(process.pid, own);
    return true;
  } catch {
    return false;
  }
}
