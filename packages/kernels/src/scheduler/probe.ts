import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { createCalendar } from './jobs/calendar.ts';
import { type Job, PROBE_PREFIX } from './jobs/job.ts';
import type { Claims } from './runs/claims.ts';
import type { Timetable } from './timetable.ts';

const IN_MS = 10;
const DEADLINE_MS = 2000;
const PROBE_SUBJECT = 'kernel.scheduler.event.probe';

/** The scheduler's job once, for real: a one-shot in 10 ms is kept, claimed, run over the bus once, and gone. */
export async function createProbe(
  ctx: KernelContext,
  timetable: Timetable,
  claims: Claims,
): Promise<() => Promise<Record<string, unknown>>> {
  let number = 0;
  /** Probe -> instants at which its message came. */
  const arrivals = new Map<string, number[]>();
  let isListening = false;
  const listen = async (): Promise<void> => {
    if (isListening) return;
    await ctx.bus.subscribe(
      PROBE_SUBJECT,
      ({ payload }) => {
        const { probe } = payload as { probe?: string };
        if (probe !== undefined) arrivals.get(probe)?.push(ctx.clock.monoMs());
      },
      { deadlineMs: DEADLINE_MS },
    );
    isListening = true;
  };
  // Without a broker the kernel starts all the same; the probe says what is missing.
  await listen().catch(() => {});

  return async () => {
    await listen();
    const id = `${PROBE_PREFIX}${ctx.incarnation}_${++number}`;
    const nowMs = Math.floor(ctx.clock.wallMs());
    const startMono = ctx.clock.monoMs();
    arrivals.set(id, []);
    try {
      const job = probeJob(id, nowMs);
      timetable.add({ job, calendar: createCalendar(job.schedule), replace: false });
      const isOver = (): boolean =>
        arrivals.get(id)!.length > 0 && !timetable.jobs().some((slot) => slot.job.id === id);
      while (!isOver() && ctx.clock.monoMs() - startMono < DEADLINE_MS)
        await new Promise((resolve) => setTimeout(resolve, 2));

      const runs = claims.history(id, 10);
      const came = arrivals.get(id)!;
      if (came.length !== 1 || runs.length !== 1 || runs[0]!.state !== 'ok') {
        const states = runs.map(({ state, error }) => `${state}${error ? ` (${error})` : ''}`).join(', ') || 'none';
        throw new GraceError(
          'INTERNAL',
          `scheduler does not do its job: a one-shot came ${came.length} times, its runs: ${states}`,
        );
      }
      const afterMs = came[0]! - startMono;
      // The wall clock may have been set between the two readings; one that was not shows a run before its time.
      if (afterMs < IN_MS - 1.5 && timetable.clock().jumps === 0) {
        throw new GraceError(
          'INTERNAL',
          `scheduler does not do its job: a one-shot in ${IN_MS} ms came after ${afterMs.toFixed(1)} ms`,
        );
      }
      return { fired: 1, afterMs: Math.round(afterMs), jobs: timetable.jobs().length };
    } finally {
      arrivals.delete(id);
      if (timetable.jobs().some((slot) => slot.job.id === id)) timetable.remove(id);
      claims.forget(id);
    }
  };
}

function probeJob(id: string, nowMs: number): Job {
  return {
    id,
    title: 'functional probe',
    schedule: { kind: 'once', atMs: nowMs + IN_MS },
    action: { publish: { subject: PROBE_SUBJECT, payload: { probe: id } } },
    missed: { policy: 'once', graceMs: 15_000, max: 1 },
    overlap: 'skip',
    jitterMs: 0,
    retry: { attempts: 1, backoffMs: 1000, backoffMaxMs: 1000 },
    deadlineMs: DEADLINE_MS,
    paused: false,
    createdMs: nowMs,
    cause: null,
  };
}
