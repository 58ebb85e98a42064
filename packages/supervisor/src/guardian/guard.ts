import { spawn } from 'node:child_process';
import type { SystemPlan } from '@grace/contracts';

/** How often a guardian that is the parent is looked at, ms: its end makes somebody else the parent, and nothing else tells. */
const LOOK_MS = 50;
/** A guardian that ends again and again is started this seldom, ms. */
const AGAIN_MS = 1000;

/** The supervisor's side of the guardian: each of the two brings the other back, so they are lost only together. */
export interface Guard {
  /** Null while there is none. */
  readonly pid: number | null;
  /** Of the system's end: no guardian is started any more. */
  stop(): void;
}

/** Keeps a guardian alive when there was one at the start: its pid. */
export function keepGuardian(plan: SystemPlan, planFile: string, given: number | null): Guard {
  let pid = given;
  let stopped = given === null;
  let startedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const startAnother = (): void => {
    if (stopped) return;
    startedAt = performance.now();
    const child = spawn(
      process.execPath,
      [
        plan.entries.guardian,
        '--home',
        plan.home,
        '--supervisor',
        plan.entries.supervisor,
        '--plan',
        planFile,
        '--watch',
        String(process.pid),
      ],
      // It holds the other end of this pipe, which ends when this process does. A session of its own, as the first one had.
      { stdio: ['pipe', 'inherit', 'inherit'], detached: true },
    );
    pid = child.pid ?? null;
    const lost = (): void => {
      pid = null;
      if (!stopped) timer = setTimeout(startAnother, Math.max(0, startedAt + AGAIN_MS - performance.now()));
    };
    child.once('error', lost);
    child.once('exit', lost);
    child.stdin?.on('error', () => {});
  };
  const look = (): void => {
    if (process.ppid === given) return;
    clearInterval(timer);
    pid = null;
    startAnother();
  };
  if (given !== null) timer = setInterval(look, LOOK_MS);

  return {
    get pid() {
      return pid;
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
