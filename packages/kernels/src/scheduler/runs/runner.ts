import type { KernelContext } from '@grace/kernel-sdk';
import type { Job } from '../jobs/job.ts';
import { backoff } from '../plan/retry.ts';
import type { Claims, Run } from './claims.ts';
import { perform } from './perform.ts';

/** Runs at the same time, over all jobs. */
const SLOTS = 16;

interface Active {
  run: Run;
  job: Job;
}

/** By the monotonic clock: one that is set must not stretch a wait. */
interface Waiting extends Active {
  untilMono: number;
}

/** Carries claimed runs to their end: attempts, back-off, the one that waits. Every step is in the store before it is taken. */
export interface Runner {
  /** Whether another run may begin. */
  hasSlot(): boolean;
  /** Runs of the job that have not ended, those between two attempts among them. */
  active(job: string): number;
  hasQueued(job: string): boolean;
  /** Takes over a claimed run in state `running` or `queued`. */
  take(job: Job, run: Run): void;
  /** Takes over what a process before this one left: by the job's retries an interrupted run goes on or ends. */
  resume(jobOf: (id: string) => Job | undefined): void;
  /** Ends what waits of a job that was removed; what runs, runs on. */
  cancel(job: string): void;
  /** Begins what has become due: next attempts, queued runs. Returns after how many ms to look again; null = nothing waits for time. */
  proceed(): number | null;
  counters(): { running: number; waiting: number; ok: number; failed: number; interrupted: number };
  /** Resolves when nothing runs or the time is over. */
  finish(timeoutMs: number): Promise<void>;
}

/** @param onEnd called when a run has ended, so that what waits for it can go on */
export function createRunner(ctx: KernelContext, claims: Claims, onEnd: (job: Job) => void): Runner {
  const running = new Map<number, Active>();
  const retrying = new Map<number, Waiting>();
  const queued = new Map<string, Active>();
  const totals = { ok: 0, failed: 0, interrupted: 0 };
  let idle: (() => void) | undefined;

  const end = (job: Job, run: Run, state: 'ok' | 'failed' | 'interrupted', error: string | null): void => {
    totals[state]++;
    claims.update(Object.assign(run, { state, error, endedMs: ctx.clock.wallMs(), nextMs: null }));
    if (state !== 'ok') ctx.log.warn('run failed', { job: job.id, dueMs: run.dueMs, state, error });
  };

  const retryOrEnd = (job: Job, run: Run, state: 'failed' | 'interrupted', error: string): void => {
    if (run.attempt >= job.retry.attempts) {
      end(job, run, state, error);
      return;
    }
    const waitMs = backoff(job.retry, run.attempt);
    claims.update(Object.assign(run, { state: 'retry', error, nextMs: Math.round(ctx.clock.wallMs() + waitMs) }));
    retrying.set(run.seq, { job, run, untilMono: ctx.clock.monoMs() + waitMs });
  };

  const attempt = async ({ job, run }: Active): Promise<void> => {
    running.set(run.seq, { job, run });
    try {
      let failure: string | undefined;
      try {
        await perform(ctx, job, run);
      } catch (error) {
        const code = (error as { code?: string }).code;
        failure = `${code ? `${code}: ` : ''}${(error as Error).message}`.slice(0, 500);
      }
      // Drained meanwhile: the store is closing, and the next start finds the run as interrupted.
      if (ctx.signal.aborted && failure !== undefined) return;
      if (failure === undefined) end(job, run, 'ok', null);
      else retryOrEnd(job, run, 'failed', failure);
    } catch (error) {
      ctx.log.error('a run could not be recorded', { job: job.id, dueMs: run.dueMs, error: String(error) });
    } finally {
      running.delete(run.seq);
      if (running.size === 0) idle?.();
      onEnd(job);
    }
  };

  const begin = (active: Active, changes: Partial<Run>): void => {
    const begun: Run = { ...active.run, state: 'running', nextMs: null, ...changes };
    claims.update(begun);
    void attempt({ job: active.job, run: begun });
  };

  const of = (job: string) => (active: Active) => active.run.job === job;

  const runner: Runner = {
    hasSlot: () => running.size < SLOTS,
    active: (job) => [...running.values(), ...retrying.values()].filter(of(job)).length,
    hasQueued: (job) => queued.has(job),
    take(job, run) {
      if (run.state === 'queued') queued.set(job.id, { job, run });
      else void attempt({ job, run });
    },
    resume(jobOf) {
      for (const run of claims.unfinished()) {
        const job = jobOf(run.job);
        if (!job) {
          const error = 'the job was removed while the process was down';
          claims.update({ ...run, state: 'interrupted', error, endedMs: ctx.clock.wallMs(), nextMs: null });
        } else if (run.state === 'running') {
          run.interruptions++;
          retryOrEnd(job, run, 'interrupted', `the process ended in attempt ${run.attempt}`);
        } else if (run.state === 'retry') {
          // Set back meanwhile, the clock must not stretch the wait.
          const waitMs = Math.min((run.nextMs ?? 0) - ctx.clock.wallMs(), job.retry.backoffMaxMs);
          retrying.set(run.seq, { job, run, untilMono: ctx.clock.monoMs() + waitMs });
        } else {
          queued.set(job.id, { job, run });
        }
      }
    },
    cancel(job) {
      const nowMs = ctx.clock.wallMs();
      const left = [...retrying.values(), ...queued.values()].filter(of(job));
      for (const { run } of left) {
        claims.update({ ...run, state: 'skipped', error: 'the job was removed', endedMs: nowMs, nextMs: null });
        retrying.delete(run.seq);
      }
      queued.delete(job);
    },
    proceed() {
      const nowMono = ctx.clock.monoMs();
      let nextMs: number | null = null;
      for (const active of retrying.values()) {
        const { run, untilMono } = active;
        const waitMs = untilMono - nowMono;
        // Without a slot it waits for the end of a run, which wakes it.
        if (waitMs > 0) nextMs = Math.min(nextMs ?? Infinity, waitMs);
        else if (runner.hasSlot()) {
          begin(active, { attempt: run.attempt + 1 });
          retrying.delete(run.seq);
        }
      }
      for (const [id, active] of queued) {
        if (!runner.hasSlot() || runner.active(id) > 0) continue;
        begin(active, { attempt: 1 });
        queued.delete(id);
      }
      return nextMs;
    },
    counters: () => ({ running: running.size, waiting: retrying.size + queued.size, ...totals }),
    async finish(timeoutMs) {
      if (running.size === 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        idle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
  return runner;
}
