import type { Guards } from '../playbook/types.ts';

/** What the guards look at: a run, ended or not. Monotonic ms. */
export interface PastRun {
  playbook: string;
  target: string;
  startedMono: number;
  endedMono: number | null;
}

export type Admission = { admitted: true } | { admitted: false; passes: boolean; reason: string };

/**
 * May the playbook run on the target now? `passes` says that it only has to wait a little: for another run, or for the cool-down.
 * Runs that seem to lie ahead are of an earlier boot of the machine, whose clock began anew, and do not count.
 */
export function admit(
  playbook: string,
  guards: Guards,
  target: string,
  past: readonly PastRun[],
  nowMono: number,
): Admission {
  const here = past.filter((run) => run.target === target && run.startedMono <= nowMono);
  const active = here.find((run) => run.endedMono === null);
  if (active) return refuse(`${active.playbook} is running on ${target}`, true);
  const mine = here.filter((run) => run.playbook === playbook);
  const inWindow = mine.filter((run) => nowMono - run.startedMono < guards.windowMs);
  if (inWindow.length >= guards.budget) {
    return refuse(`budget used up: ${inWindow.length} runs on ${target} within ${guards.windowMs} ms`, false);
  }
  const lastEndMono = Math.max(...mine.map((run) => run.endedMono ?? -Infinity));
  const restedMs = nowMono - lastEndMono;
  if (restedMs < guards.coolDownMs) {
    return refuse(
      `cooling down: the last run on ${target} ended ${Math.round(restedMs)} ms ago, ${guards.coolDownMs} ms are asked`,
      true,
    );
  }
  return { admitted: true };
}

function refuse(reason: string, passes: boolean): Admission {
  return { admitted: false, passes, reason };
}
