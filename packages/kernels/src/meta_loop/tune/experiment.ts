import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { KnobId } from '../propose/knob.ts';
import type { Proposal } from '../propose/proposal.ts';

/**
 * intended     written down; the knob is about to be turned
 * watching     turned; what it does is being looked at
 * reverting    written down that it is about to be turned back
 * kept         it helped
 * rolled_back  it is as it was before
 * abandoned    it was never turned
 * overridden   somebody else turned the same knob meanwhile; left to them
 */
export type ExperimentState =
  | 'intended'
  | 'watching'
  | 'reverting'
  | 'kept'
  | 'rolled_back'
  | 'abandoned'
  | 'overridden';

export interface Experiment {
  id: string;
  state: ExperimentState;
  proposal: Proposal;
  /** Who asked for it; `meta_loop` itself when it went on by itself. */
  by: string;
  /** Of governance. */
  decision: string;
  createdMs: number;
  /** Wall time the knob was turned; null: not yet. */
  actedMs: number | null;
  endedMs: number | null;
  /** The level before, which what follows is compared with. */
  baseline: number[];
  /** How often it was looked at, which the false alarms are shared by. */
  looks: number;
  /** Why it is in its state, in words. */
  why: string;
}

export interface ExperimentBook {
  /** @throws GraceError `CONFLICT` when one of the same knob and target is under way */
  open(experiment: Experiment): void;
  /** @param tell called within the same transaction */
  save(experiment: Experiment, tell?: (experiment: Experiment) => void): void;
  get(id: string): Experiment;
  underWay(): Experiment[];
  /** Newest first. */
  list(limit: number): Experiment[];
  of(knob: KnobId, target: string): Experiment[];
  /** Turned since then. */
  actedSince(ms: number): number;
  counts(): Record<string, number>;
}

export const EXPERIMENT_TABLES = `
  CREATE TABLE experiment (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, knob TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL,
    acted_ms REAL, body TEXT NOT NULL
  );
  CREATE INDEX experiment_knob ON experiment (knob, target, seq);
  CREATE UNIQUE INDEX experiment_one ON experiment (knob, target) WHERE state IN ('intended', 'watching', 'reverting');
`;
const KEPT_MAX = 2000;

export function createExperimentBook(store: KernelStore): ExperimentBook {
  const { db } = store;
  const read = (where: string, ...values: (string | number)[]): Experiment[] => {
    const rows = db.prepare(`SELECT body FROM experiment ${where}`).all(...values) as { body: string }[];
    return rows.map(({ body }) => JSON.parse(body) as Experiment);
  };
  const underWay = (): Experiment[] => read("WHERE state IN ('intended', 'watching', 'reverting') ORDER BY seq");
  return {
    open(experiment) {
      const { id, proposal, state, actedMs } = experiment;
      store.transaction(() => {
        const other = underWay().find(
          (one) => one.proposal.knob === proposal.knob && one.proposal.target === proposal.target,
        );
        if (other)
          throw new GraceError(
            'CONFLICT',
            `${proposal.knob} of ${proposal.target} is being tried already: ${other.id}`,
            {
              experiment: other.id,
            },
          );
        db.prepare('INSERT INTO experiment (id, knob, target, state, acted_ms, body) VALUES (?, ?, ?, ?, ?, ?)').run(
          ...([id, proposal.knob, proposal.target, state, actedMs, JSON.stringify(experiment)] as const),
        );
        db.prepare(
          "DELETE FROM experiment WHERE seq <= (SELECT max(seq) FROM experiment) - ? AND state NOT IN ('intended', 'watching', 'reverting')",
        ).run(KEPT_MAX);
      });
    },
    save(experiment, tell) {
      store.transaction(() => {
        db.prepare('UPDATE experiment SET state = ?, acted_ms = ?, body = ? WHERE id = ?').run(
          ...([experiment.state, experiment.actedMs, JSON.stringify(experiment), experiment.id] as const),
        );
        tell?.(experiment);
      });
    },
    get(id) {
      const [found] = read('WHERE id = ?', id);
      if (found) return found;
      const ids = read('ORDER BY seq DESC LIMIT 200').map((one) => one.id);
      throw new GraceError('NOT_FOUND', `no experiment is called ${JSON.stringify(id)}${didYouMean(id, ids)}`, { id });
    },
    underWay,
    list: (limit) => read('ORDER BY seq DESC LIMIT ?', limit),
    of: (knob, target) => read('WHERE knob = ? AND target = ? ORDER BY seq DESC LIMIT 100', knob, target),
    actedSince: (ms) =>
      (db.prepare('SELECT count(*) AS n FROM experiment WHERE acted_ms >= ?').get(ms) as { n: number }).n,
    counts() {
      const rows = db.prepare('SELECT state, count(*) AS n FROM experiment GROUP BY state').all() as {
        state: string;
        n: number;
      }[];
      return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
    },
  };
}
