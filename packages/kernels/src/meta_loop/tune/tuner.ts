import { randomUUID } from 'node:crypto';
import { GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Proposal } from '../propose/proposal.ts';
import type { Telling } from '../telling.ts';
import type { Experiment, ExperimentBook } from './experiment.ts';
import type { KnobAccess } from './knob-access.ts';
import { askPermission } from './permission.ts';
import { judgeExperiment } from './watch.ts';

export interface Limits {
  /** Experiments within 24 hours. */
  perDay: number;
  /** Between the end of one experiment and the next with the same knob and target. */
  coolDownMs: number;
  /** After this long without an improvement, a change is taken back. */
  watchMs: number;
}

/** Values of a series, oldest first, within a span of wall time; a count has buckets of `bucketMs` from its beginning on. */
export type ReadSeries = (name: string, fromMs: number, bucketMs: number | null) => number[];

export interface Tuner {
  /**
   * Asks, writes down, turns, and watches from then on.
   * @throws GraceError `CONFLICT`, `FORBIDDEN`, `APPROVAL_NEEDED`, `GOVERNANCE_UNREACHABLE`, or what who holds the knob answers
   */
  apply(proposal: Proposal, by: string): Promise<Experiment>;
  /** @throws GraceError `NOT_FOUND`, `CONFLICT`, or what who holds the knob answers */
  rollback(id: string, by: string, why: string): Promise<Experiment>;
  /** Finishes what a crash cut off, and looks at what is being watched. */
  look(): Promise<void>;
  /** Why this may not be tried now; undefined: it may. */
  obstacle(proposal: Pick<Proposal, 'knob' | 'target' | 'series'>): string | undefined;
}

const DAY_MS = 86_400_000;
/** The kernel is not part of the system any more. */
const GONE: ReadonlySet<string> = new Set(['UNKNOWN_KERNEL', 'NOT_FOUND']);
/** Values of the level before. */
const BASELINE_MAX = 60;

export function createTuner(
  ctx: KernelContext,
  parts: { book: ExperimentBook; access: KnobAccess; read: ReadSeries; telling: Telling; limits: Limits },
): Tuner {
  const { book, access, read, telling, limits } = parts;
  /** Knobs and targets somebody is busy with: what they wait for must not be overtaken. */
  const busy = new Set<string>();
  const now = (): number => ctx.clock.wallMs();

  const settle = (experiment: Experiment, state: Experiment['state'], why: string): Experiment => {
    const settled = { ...experiment, state, why, endedMs: now() };
    book.save(settled, telling.ended);
    ctx.log.info('an experiment has ended', { experiment: settled.id, state, why });
    return settled;
  };

  const obstacle: Tuner['obstacle'] = ({ knob, target, series }) => {
    const active = book.underWay().find(({ proposal }) => proposal.knob === knob && proposal.target === target);
    if (active) return `${knob} of ${target} is being tried already: ${active.id}`;
    // Two changes at once, and nobody knows which of them did it.
    const confounded = book.underWay().find(({ proposal }) => proposal.series === series);
    if (confounded) return `${series} is being watched for ${confounded.id}`;
    const [last] = book.of(knob, target).filter(({ actedMs }) => actedMs !== null);
    const restMs = last?.endedMs == null ? 0 : last.endedMs + limits.coolDownMs - now();
    if (restMs > 0)
      return `${knob} of ${target} was tried before (${last!.id}, ${last!.state}); again in ${Math.ceil(restMs / 1000)} s`;
    const acted = book.actedSince(now() - DAY_MS);
    return acted >= limits.perDay ? `${acted} experiments within a day are as many as may be` : undefined;
  };

  const alone = async <T>({ knob, target }: Pick<Proposal, 'knob' | 'target'>, work: () => Promise<T>): Promise<T> => {
    const key = `${knob}:${target}`;
    if (busy.has(key)) throw new GraceError('CONFLICT', `${knob} of ${target} is being turned at this moment`);
    busy.add(key);
    try {
      return await work();
    } finally {
      busy.delete(key);
    }
  };

  /** The knob is turned as the book says, whatever became of the answer: what counts is what it reads afterwards. */
  const turn = async (experiment: Experiment): Promise<Experiment> => {
    const { knob, target, from, to, why } = experiment.proposal;
    let trouble: unknown;
    try {
      await access.write(knob, target, to, why);
    } catch (error) {
      trouble = error;
    }
    const value = await access.read(knob, target);
    if (value === to) {
      const watching: Experiment = { ...experiment, state: 'watching', actedMs: now(), why: 'its effect is watched' };
      book.save(watching, telling.turned);
      return watching;
    }
    const error = trouble === undefined ? undefined : toWireError(trouble);
    if (value === from)
      settle(experiment, 'abandoned', `it could not be turned: ${error?.message ?? 'it reads as before'}`);
    else settle(experiment, 'overridden', `it reads ${value}: somebody else has turned it`);
    throw new GraceError(
      error?.code ?? 'CONFLICT',
      `${knob} of ${target} was not turned: ${error?.message ?? `it reads ${value}`}`,
    );
  };

  const revert = async (experiment: Experiment, why: string): Promise<Experiment> => {
    const { knob, target, from, to } = experiment.proposal;
    const reverting: Experiment = { ...experiment, state: 'reverting', why };
    book.save(reverting);
    const value = await access.read(knob, target);
    if (value === from) return settle(reverting, 'rolled_back', `${why}; it was back already`);
    if (value !== to) return settle(reverting, 'overridden', `it reads ${value}: somebody else has turned it`);
    await access.write(knob, target, from, `taken back: ${why}`);
    const after = await access.read(knob, target);
    if (after !== from)
      throw new GraceError('CONFLICT', `${knob} of ${target} reads ${after} after it was turned back to ${from}`);
    return settle(reverting, 'rolled_back', why);
  };

  /** `intended`: nobody knows whether the knob was turned before the crash. It is not turned now: the permission was for then. */
  const recover = async (experiment: Experiment): Promise<void> => {
    const { knob, target, from, to } = experiment.proposal;
    const value = await access.read(knob, target);
    if (value === to) {
      const watching: Experiment = {
        ...experiment,
        state: 'watching',
        actedMs: experiment.createdMs,
        why: 'turned before a restart; its effect is watched',
      };
      book.save(watching, telling.turned);
    } else if (value === from) settle(experiment, 'abandoned', 'a restart came before it was turned');
    else settle(experiment, 'overridden', `it reads ${value}: somebody else has turned it`);
  };

  const watch = async (experiment: Experiment): Promise<void> => {
    const { knob, target, to, series, bucketMs } = experiment.proposal;
    const value = await access.read(knob, target);
    if (value !== to) {
      settle(experiment, 'overridden', `it reads ${value}: somebody else has turned it, or a boot has set it back`);
      return;
    }
    const actedMs = experiment.actedMs ?? experiment.createdMs;
    const after = read(series, actedMs, bucketMs);
    const late = now() - actedMs > limits.watchMs;
    const verdict = judgeExperiment(experiment.baseline, after, {
      counts: bucketMs !== null,
      looks: experiment.looks,
      late,
    });
    if (verdict.decision === 'roll back') await revert({ ...experiment, looks: verdict.looks }, verdict.why);
    else if (verdict.decision === 'keep') settle({ ...experiment, looks: verdict.looks }, 'kept', verdict.why);
    else if (verdict.looks !== experiment.looks || verdict.why !== experiment.why)
      book.save({ ...experiment, looks: verdict.looks, why: verdict.why });
  };

  return {
    obstacle,
    apply: (proposal, by) =>
      alone(proposal, async () => {
        const { knob, target, from } = proposal;
        const hindered = obstacle(proposal);
        if (hindered !== undefined) throw new GraceError('CONFLICT', hindered);
        const value = await access.read(knob, target);
        if (value !== from)
          throw new GraceError('CONFLICT', `${knob} of ${target} reads ${value} now, the proposal is for ${from}`);
        const decision = await askPermission(ctx, proposal);
        const experiment: Experiment = {
          ...{ id: `experiment-${randomUUID().slice(0, 12)}`, state: 'intended', proposal, by, decision },
          ...{ createdMs: now(), actedMs: null, endedMs: null, looks: 0, why: 'about to be turned' },
          baseline: read(proposal.series, proposal.evidence.sinceMs, proposal.bucketMs).slice(-BASELINE_MAX),
        };
        book.open(experiment);
        return await turn(experiment);
      }),
    rollback(id, by, why) {
      const { proposal } = book.get(id);
      return alone(proposal, async () => {
        const experiment = book.get(id);
        if (experiment.state !== 'watching' && experiment.state !== 'kept' && experiment.state !== 'reverting')
          throw new GraceError('CONFLICT', `${id} is ${experiment.state}; there is nothing to take back`, {
            state: experiment.state,
          });
        const [newest] = book.of(proposal.knob, proposal.target).filter(({ actedMs }) => actedMs !== null);
        if (newest && newest.id !== id)
          throw new GraceError('CONFLICT', `${newest.id} came after ${id}; take that back first`, {
            experiment: newest.id,
          });
        return await revert(experiment, `${by} asked for it: ${why}`);
      });
    },
    async look() {
      for (const { id, proposal } of book.underWay()) {
        if (ctx.signal.aborted || busy.has(`${proposal.knob}:${proposal.target}`)) continue;
        try {
          await alone(proposal, async () => {
            const experiment = book.get(id);
            if (experiment.state === 'intended') await recover(experiment);
            else if (experiment.state === 'reverting') await revert(experiment, experiment.why);
            else if (experiment.state === 'watching') await watch(experiment);
          });
        } catch (error) {
          if (GONE.has(toWireError(error).code)) {
            settle(book.get(id), 'overridden', `its knob is not there any more: ${(error as Error).message}`);
            continue;
          }
          // Who holds the knob may be away; it is looked at again with the next round.
          ctx.log.warn('an experiment could not be looked at', { experiment: id, error: (error as Error).message });
        }
      }
    },
  };
}
