import type { Calendar } from '../jobs/calendar.ts';
import { JOB_LIMITS, type Job } from '../jobs/job.ts';
import { jitter } from './jitter.ts';

/** A job with its calendar, and the instant up to which its due times are settled. */
export interface PlannedJob {
  job: Job;
  calendar: Calendar;
  settledMs: number;
}

export interface Due {
  job: string;
  dueMs: number;
  /** Due time plus jitter. */
  startMs: number;
}

/** Due times in (fromMs, nowMs] of all jobs that are not paused, in order of time, at most `limit`. */
export function due(
  jobs: Iterable<Pick<PlannedJob, 'job' | 'calendar'>>,
  fromMs: number,
  nowMs: number,
  limit = 1000,
): Due[] {
  const found: Due[] = [];
  for (const { job, calendar } of jobs) {
    if (job.paused) continue;
    let dueMs = calendar.after(fromMs);
    for (let count = 0; dueMs !== null && dueMs <= nowMs && count < limit; count++) {
      found.push({ job: job.id, dueMs, startMs: dueMs + jitter(job.id, dueMs, job.jitterMs) });
      dueMs = calendar.after(dueMs);
    }
  }
  return found.sort((a, b) => a.dueMs - b.dueMs || (a.job < b.job ? -1 : 1)).slice(0, limit);
}

/** What is to be done with one job now. */
export interface Plan {
  /** Due times that passed too long ago and run all the same, in order; before those of `run`. */
  catchUp: number[];
  /** Due times that run in time, in order. */
  run: number[];
  /** Due times that passed too long ago and are not run; all before those of `catchUp`. */
  missed: { count: number; isAtLeast: boolean; firstMs: number; lastMs: number } | null;
  /** Everything up to here is decided by this plan. */
  settledMs: number;
  /** When to look at the job again; null = never. */
  wakeMs: number | null;
}

/** Missed due times that are counted one by one; when there are more, only the latest are looked up. */
const COUNTED = JOB_LIMITS.missed;

/**
 * Up to which instant a due time and those right after it were decided before: the due time itself when it alone was, later when it stands in
 * a stretch that was missed; null when it was not. Only a clock that was set back makes a difference.
 */
export type DecidedUntil = (dueMs: number) => number | null;

const UNDECIDED: DecidedUntil = () => null;

/**
 * Decides on all due times of a job in (settledMs, nowMs]. Pure. Due times keep their order: one whose jitter is not over yet holds those
 * behind it. When the clock stands before `settledMs` it was set back: the plan begins at the present again, and what `decided` knows is
 * passed over.
 */
export function plan({ job, calendar, settledMs }: PlannedJob, nowMs: number, decided = UNDECIDED): Plan {
  if (job.paused) return { catchUp: [], run: [], missed: null, settledMs: nowMs, wakeMs: null };
  const startOf = (dueMs: number): number => dueMs + jitter(job.id, dueMs, job.jitterMs);
  const lateMs = nowMs - job.missed.graceMs;
  const late: number[] = [];
  const run: number[] = [];
  let doneMs = Math.min(settledMs, nowMs);
  let next = calendar.after(doneMs);
  while (next !== null && startOf(next) <= nowMs && late.length <= COUNTED && run.length < COUNTED) {
    const untilMs = decided(next);
    // Once one is in time, so are all behind it.
    if (untilMs === null) (run.length === 0 && startOf(next) < lateMs ? late : run).push(next);
    doneMs = Math.max(next, Math.min(untilMs ?? next, nowMs));
    next = calendar.after(doneMs);
  }
  if (late.length <= COUNTED) {
    return { ...sort(job, late, false), run, settledMs: doneMs, wakeMs: next === null ? null : startOf(next) };
  }
  // Too many to count: the latest decide, and the next look finds those that are in time.
  const latest = calendar.last(COUNTED, Math.max(doneMs, lateMs - job.jitterMs));
  const open = latest.filter((dueMs) => dueMs > late[0]! && decided(dueMs) === null);
  return { ...sort(job, [late[0]!, ...open], true), run: [], settledMs: latest.at(-1)!, wakeMs: nowMs };
}

/** Which of the missed due times run all the same. */
function sort({ missed: { policy, max } }: Job, late: number[], isAtLeast: boolean): Pick<Plan, 'catchUp' | 'missed'> {
  const kept = policy === 'skip' ? 0 : Math.min(late.length, policy === 'once' ? 1 : max);
  const left = late.slice(0, late.length - kept);
  return {
    catchUp: late.slice(late.length - kept),
    missed: left.length === 0 ? null : { count: left.length, isAtLeast, firstMs: left[0]!, lastMs: left.at(-1)! },
  };
}
