import type { VerbMeta } from '@grace/contracts';
import { is, type KernelContext, readInput, type Verb } from '@grace/kernel-sdk';
import { JOB_LIMITS, PROBE_PREFIX } from './jobs/job.ts';
import { readJob } from './jobs/read-job.ts';
import { due } from './plan/due.ts';
import type { Claims, Run } from './runs/claims.ts';
import type { Runner } from './runs/runner.ts';
import type { Timetable } from './timetable.ts';

const RUNS_SHOWN = 1000;

export function createVerbs(
  ctx: KernelContext,
  timetable: Timetable,
  claims: Claims,
  runner: Runner,
): Record<string, Verb> {
  const id = is.string({ max: 64 });
  const limit = is.optional(is.number({ min: 1, max: RUNS_SHOWN, integer: true }));
  const known = () => timetable.jobs().filter(({ job }) => !job.id.startsWith(PROBE_PREFIX));

  return {
    add(input, meta) {
      const made = readJob(input, Math.floor(ctx.clock.wallMs()), causeOf(meta));
      const { replaced } = timetable.add(made);
      return { id: made.job.id, replaced, next: iso(made.calendar.after(made.job.createdMs)) };
    },
    remove(input) {
      const { id: one } = readInput(input, { id });
      timetable.remove(one);
      return { id: one, removed: true };
    },
    pause(input) {
      const { id: one, paused } = readInput(input, { id, paused: is.boolean() });
      const was = timetable.get(one).job.paused;
      timetable.pause(one, paused);
      return { id: one, paused, was };
    },
    run(input, meta) {
      const { id: one } = readInput(input, { id });
      return show(timetable.runNow(one, causeOf(meta)));
    },
    due(input) {
      const given = readInput(input, { withinMs: is.number({ min: 1, max: JOB_LIMITS.spanMs }), limit });
      const nowMs = ctx.clock.wallMs();
      return due(known(), nowMs, nowMs + given.withinMs, given.limit ?? 100).map(({ job, dueMs, startMs }) => ({
        job,
        due: iso(dueMs),
        starts: iso(startMs),
        inMs: Math.round(startMs - nowMs),
      }));
    },
    history(input) {
      const given = readInput(input, { id: is.optional(id), limit });
      return claims.history(given.id, given.limit ?? 50).map(show);
    },
    jobs(input) {
      const { id: one } = readInput(input, { id: is.optional(id) });
      const nowMs = ctx.clock.wallMs();
      return (one === undefined ? known() : [timetable.get(one)]).map(({ job, calendar }) => ({
        ...job,
        next: job.paused ? null : iso(calendar.after(nowMs)),
        active: runner.active(job.id),
      }));
    },
    status(input) {
      readInput(input, {});
      const jobs = known();
      return {
        jobs: jobs.length,
        paused: jobs.filter(({ job }) => job.paused).length,
        runs: runner.counters(),
        clock: timetable.clock(),
      };
    },
  };
}

/** Over the bus a call has an id, by which what follows from it names its cause. */
function causeOf({ id }: VerbMeta): string | null {
  return id ?? null;
}

function show(run: Run): Record<string, unknown> {
  const { dueMs, claimedMs, endedMs, nextMs, cause: _, ...rest } = run;
  return { ...rest, due: iso(dueMs), claimed: iso(claimedMs), ended: iso(endedMs), nextAttempt: iso(nextMs) };
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
