import { toWireError } from '@grace/contracts';
import type { KernelContext, KernelStore } from '@grace/kernel-sdk';
import type { Experiment } from './tune/experiment.ts';

/** Tells others what was done and why: a decision for clarity_framework, an entry for the audit record. */
export interface Telling {
  turned(experiment: Experiment): void;
  ended(experiment: Experiment): void;
  /** Tries to pass on what waits; never throws. */
  flush(): Promise<void>;
  waiting(): number;
}

export const TELLING_TABLES = `
  CREATE TABLE telling (seq INTEGER PRIMARY KEY AUTOINCREMENT, to_whom TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL);
`;
const SUBJECT = 'audit.meta_loop';
const DEADLINE_MS = 2000;
const TOGETHER = 20;
/** The oldest are given up: the experiments themselves are kept in the store. */
const WAITING_MAX = 1000;
const REFUSED: ReadonlySet<string> = new Set(['BAD_INPUT', 'CONFLICT', 'TOO_LARGE', 'BUS_TOO_LARGE', 'NOT_FOUND']);

/** Waits in the store until it was taken, so that a crash forgets nothing and nobody's absence holds up an experiment. */
export function createTelling(ctx: KernelContext, { db }: KernelStore): Telling {
  const put = db.prepare('INSERT INTO telling (to_whom, id, body) VALUES (?, ?, ?)');
  const trim = db.prepare('DELETE FROM telling WHERE seq <= (SELECT max(seq) FROM telling) - ?');
  const oldest = db.prepare('SELECT seq, to_whom, id, body FROM telling WHERE to_whom = ? ORDER BY seq LIMIT ?');
  const done = db.prepare('DELETE FROM telling WHERE seq = ?');
  const count = db.prepare('SELECT count(*) AS n FROM telling');
  let running: Promise<void> | undefined;
  let again = false;

  const pass = async (toWhom: 'clarity' | 'audit'): Promise<void> => {
    const rows = oldest.all(toWhom, TOGETHER) as { seq: number; id: string; body: string }[];
    for (const { seq, id, body } of rows) {
      const told = JSON.parse(body) as unknown;
      try {
        if (toWhom === 'audit') await ctx.bus.publish(SUBJECT, told, { id, deadlineMs: DEADLINE_MS });
        else await ctx.call('clarity_framework', 'record', told, { deadlineMs: DEADLINE_MS });
      } catch (error) {
        // What is refused for what it says would be refused for ever.
        if (!REFUSED.has(toWireError(error).code)) throw error;
        ctx.log.warn('not taken', { toWhom, id, error: (error as Error).message });
      }
      done.run(seq);
    }
  };
  const flush = (): Promise<void> => {
    running ??= Promise.allSettled([pass('audit'), pass('clarity')])
      .then((results) => {
        for (const result of results)
          if (result.status === 'rejected') ctx.log.debug('not told yet', { error: (result.reason as Error).message });
      })
      .finally(() => {
        running = undefined;
        // What was put there meanwhile.
        if (again) void flush();
      });
    again = false;
    return running;
  };
  const tell = (experiment: Experiment, step: string, what: string): void => {
    const { id, proposal, decision, by, why } = experiment;
    const { knob, target, from, to, evidence } = proposal;
    put.run(
      'audit',
      `${id}-${step}`,
      JSON.stringify({
        ...{
          actor: 'meta_loop',
          action: `tune.${step}`,
          resource: `${knob}:${target}`,
          subsystem: 'meta_loop',
          outcome: experiment.state,
        },
        payload: { experiment: id, from, to, by, decision, why, series: proposal.series },
        idempotencyKey: `${id}-${step}`,
      }),
    );
    put.run(
      'clarity',
      `${id}-${step}`,
      JSON.stringify({
        what: what.slice(0, 500),
        where: target,
        why: (step === 'turned' ? proposal.why : why).slice(0, 1000),
        how: `${knob} ${from} -> ${to}, watched by ${proposal.series}; permitted by ${decision}`.slice(0, 1000),
        alternatives: proposal.alternatives,
        evidence: { incidents: evidence.incidents },
        confidence: Math.max(0, Math.min(1, 1 - evidence.p)),
        key: `${id}-${step}`,
      }),
    );
    trim.run(WAITING_MAX);
    again = running !== undefined;
    queueMicrotask(() => void flush());
  };
  return {
    turned(experiment) {
      const { knob, target, from, to } = experiment.proposal;
      tell(experiment, 'turned', `try ${knob} of ${target} at ${to} instead of ${from}`);
    },
    ended(experiment) {
      const { knob, target, from, to } = experiment.proposal;
      const words: Record<string, string> = {
        kept: `keep ${knob} of ${target} at ${to}`,
        rolled_back: `set ${knob} of ${target} back to ${from}`,
        abandoned: `leave ${knob} of ${target} at ${from}`,
        overridden: `leave ${knob} of ${target} to whoever else has turned it`,
      };
      tell(experiment, 'ended', words[experiment.state] ?? experiment.state);
    },
    flush,
    waiting: () => (count.get() as { n: number }).n,
  };
}
