import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { createCalendar } from './jobs/calendar.ts';
import { JOB_LIMITS, type Job } from './jobs/job.ts';
import type { NewJob } from './jobs/read-job.ts';
import { type PlannedJob, plan } from './plan/due.ts';
import type { Claims, Run, RunState } from './runs/claims.ts';
import type { Runner } from './runs/runner.ts';

/** The clock is looked at least this often: a clock that was set is noticed this soon, and no timer grows past what timers hold. */
const RECHECK_MS = 5000;
/** Wait after the store refused a claim. */
const FAILED_MS = 1000;
/** A difference between the two clocks of this much since the last look means that the wall clock was set. */
const JUMP_MS = 1000;
/** Runs of one job side by side where its overlap policy allows that. */
const SIDE_BY_SIDE = 16;

interface Slot extends PlannedJob {
  wakeMs: number | null;
}

/** All jobs, and the one timer that wakes for the earliest of them. */
export interface Timetable {
  add(made: NewJob): { replaced: boolean };
  remove(id: string): void;
  pause(id: string, paused: boolean): void;
  runNow(id: string, cause: string | null): Run;
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  get(id: string): Slot;
  jobs(): Slot[];
  /** Takes up the work: what an earlier process left, and all that is due. */
  open(): void;
  /** Looks at the clock now, and does what is due. */
  look(): void;
  close(): void;
  clock(): { jumps: number; lastJumpMs: number };
}

export function createTimetable(
  ctx: KernelContext,
  claims: Claims,
  runnerOf: (onEnd: (job: Job) => void) => Runner,
): Timetable {
  const slots = new Map<string, Slot>();
  const jumps = { jumps: 0, lastJumpMs: 0 };
  let timer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Immediate | undefined;
  let look = { wallMs: ctx.clock.wallMs(), monoMs: ctx.clock.monoMs() };

  const wakeSoon = (): void => {
    if (ctx.signal.aborted) return;
    soon ??= setImmediate(() => {
      soon = undefined;
      tick();
    });
  };
  const runner = runnerOf(wakeSoon);

  const tick = (): void => {
    if (ctx.signal.aborted) return;
    try {
      noticeJump();
      const nowMs = Math.floor(ctx.clock.wallMs());
      const ready = [...slots.values()].filter(({ wakeMs }) => wakeMs !== null && wakeMs <= nowMs);
      for (const slot of ready.sort((a, b) => a.wakeMs! - b.wakeMs!)) {
        if (!runner.hasSlot()) break;
        advance(slot, nowMs);
      }
      for (const slot of slots.values()) if (slot.wakeMs === null && isOver(slot)) drop(slot.job.id);
      arm();
    } catch (error) {
      ctx.log.error('the timetable could not be advanced', { error: String(error) });
      // A store that fails now fails again at once: no claim, no run, and no haste.
      clearTimeout(timer);
      timer = setTimeout(tick, FAILED_MS);
    }
  };

  /** Sleeps until the earliest wake-up. Jobs that wait for a free slot are woken by the end of a run. */
  const arm = (): void => {
    clearTimeout(timer);
    const nowMs = ctx.clock.wallMs();
    let next = nowMs + (runner.proceed() ?? RECHECK_MS);
    for (const { wakeMs, job } of slots.values()) {
      if (wakeMs !== null && wakeMs < next && (wakeMs > nowMs || !isHeld(job.id))) next = wakeMs;
    }
    timer = setTimeout(tick, Math.min(RECHECK_MS, Math.max(1, Math.ceil(next - nowMs))));
  };

  const isHeld = (job: string): boolean => !runner.hasSlot() || runner.active(job) > 0;

  const noticeJump = (): void => {
    const now = { wallMs: ctx.clock.wallMs(), monoMs: ctx.clock.monoMs() };
    const byMs = now.wallMs - look.wallMs - (now.monoMs - look.monoMs);
    look = now;
    if (Math.abs(byMs) < JUMP_MS) return;
    jumps.jumps++;
    jumps.lastJumpMs = Math.round(byMs);
    ctx.log.warn('the wall clock was set', { byMs: Math.round(byMs) });
    for (const slot of slots.values()) slot.wakeMs = now.wallMs;
  };

  const advance = (slot: Slot, nowMs: number): void => {
    const { job } = slot;
    const found = plan(slot, nowMs, claims.decided(job.id));
    const isSideBySide = job.overlap === 'allow';
    // Runs that are caught up never overlap by policy: they come one after the other.
    if (found.catchUp.length > 0 && !isSideBySide && runner.active(job.id) > 0) return;
    const isOneByOne = found.catchUp.length > 1;
    const dueTimes = isOneByOne ? found.catchUp.slice(0, 1) : [...found.catchUp, ...found.run];
    const settledMs = isOneByOne ? found.catchUp[0]! : found.settledMs;
    const claimed: Run[] = [];
    // Where a clock that was set back stands is kept too: what comes from there on is to be decided, also by the next process.
    if (dueTimes.length > 0 || found.missed || settledMs < slot.settledMs) {
      claims.transaction(() => {
        let active = runner.active(job.id);
        let queued = runner.hasQueued(job.id);
        for (const dueMs of dueTimes) {
          const state = stateOf(job, active, queued);
          const run = claims.claim(job, dueMs, 'due', state, nowMs);
          if (!run) continue;
          if (state === 'running') active++;
          if (state === 'queued') queued = true;
          claimed.push(run);
        }
        if (found.missed) claims.recordMissed(job.id, found.missed, nowMs);
        claims.settle(job.id, settledMs);
      });
    }
    slot.settledMs = settledMs;
    slot.wakeMs = isOneByOne ? nowMs : found.wakeMs;
    for (const run of claimed) if (run.state === 'running' || run.state === 'queued') runner.take(job, run);
  };

  const isOver = ({ job }: Slot): boolean =>
    job.schedule.kind === 'once' && !job.paused && runner.active(job.id) === 0 && !runner.hasQueued(job.id);

  const drop = (id: string): void => {
    slots.delete(id);
    claims.removeJob(id);
  };

  /** Looked at with the next tick, wherever the clock stands then: it may have been set back while no process ran. */
  const put = (job: Job, settledMs: number): void => {
    slots.set(job.id, { job, calendar: createCalendar(job.schedule), settledMs, wakeMs: 0 });
  };

  const timetable: Timetable = {
    add({ job, replace }) {
      const replaced = slots.has(job.id);
      if (replaced && !replace) {
        throw new GraceError(
          'CONFLICT',
          `there is a job "${job.id}" already; say replace: true to put this one in its place`,
          { job: job.id },
        );
      }
      if (!replaced && slots.size >= JOB_LIMITS.jobs) {
        throw new GraceError('TOO_LARGE', `there are ${slots.size} jobs, more are not accepted`, {
          limit: JOB_LIMITS.jobs,
        });
      }
      // What the one before it was due for by now is its own.
      if (replaced) tick();
      claims.putJob(job, job.createdMs);
      put(job, job.createdMs);
      tick();
      return { replaced };
    },
    remove(id) {
      timetable.get(id);
      drop(id);
      runner.cancel(id);
    },
    pause(id, paused) {
      tick();
      const { job } = timetable.get(id);
      const nowMs = Math.floor(ctx.clock.wallMs());
      const changed = { ...job, paused };
      // What was due in a pause is not missed: nobody wanted it.
      claims.putJob(changed, nowMs);
      put(changed, nowMs);
      tick();
    },
    runNow(id, cause) {
      const { job } = timetable.get(id);
      if (job.overlap !== 'allow' && runner.active(id) > 0) {
        throw new GraceError('CONFLICT', `a run of "${id}" has not ended yet`, { job: id });
      }
      if (!runner.hasSlot())
        throw new GraceError('CONFLICT', 'as many runs as may run at the same time are under way', { job: id });
      const nowMs = Math.floor(ctx.clock.wallMs());
      for (let dueMs = nowMs; ; dueMs++) {
        const run = claims.claim(job, dueMs, 'manual', 'running', nowMs, cause);
        if (!run) continue;
        runner.take(job, run);
        return run;
      }
    },
    get(id) {
      const slot = slots.get(id);
      if (slot) return slot;
      throw new GraceError('NOT_FOUND', `no job "${id}"${didYouMean(id, slots.keys())}`, { job: id });
    },
    jobs: () => [...slots.values()],
    open() {
      for (const { job, settledMs } of claims.jobs()) put(job, settledMs);
      runner.resume((id) => slots.get(id)?.job);
      tick();
    },
    look: tick,
    close() {
      clearTimeout(timer);
      clearImmediate(soon);
    },
    clock: () => ({ ...jumps }),
  };
  return timetable;
}

/** What becomes of a due time while `active` earlier runs have not ended. */
function stateOf(job: Job, active: number, queued: boolean): RunState {
  if (active === 0 && !queued) return 'running';
  if (job.overlap === 'allow') return active < SIDE_BY_SIDE ? 'running' : 'skipped';
  return job.overlap === 'queue' && !queued ? 'queued' : 'skipped';
}
