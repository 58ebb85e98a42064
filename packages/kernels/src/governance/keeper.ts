import type { KernelContext } from '@grace/kernel-sdk';
import type { Question } from './engine/question.ts';
import { type Governor, refusal } from './governor.ts';
import type { Checker } from './policies/checker.ts';
import type { PolicyFile } from './policies/policy-set.ts';
import type { Drift, SealedFiles } from './policies/sealed.ts';
import { readFiles } from './policies/sources.ts';

/** The files of the policies in force are being written; a start that finds this finishes it, and sees no drift in it. */
export const UNFINISHED = 'files unfinished';

/** Keeps the policies: takes others when it is told to by somebody who may, and refuses what changed without. */
export interface Keeper {
  /**
   * Reads the sources again and puts them in force.
   * @throws GraceError `POLICY_INVALID` (what was in force stays), `CONFIG_UNREADABLE`, `FORBIDDEN`, `APPROVAL_NEEDED`
   */
  reload(by: string): Promise<{ version: string; former: string; changed: boolean; policies: number }>;
  /** Files of the sources that differ from what is in force, and why they cannot be, if so. */
  pending(): Promise<{ changed: string[]; error: string | null }>;
  /** Compares the files in force with what was accepted, and puts them back. */
  look(): Promise<void>;
  drifts(): { count: number; latest: (Drift & { atMs: number; restored: boolean }) | null };
}

export function createKeeper(
  ctx: KernelContext,
  governor: Governor,
  sealed: SealedFiles,
  folders: readonly string[],
  check: Checker,
): Keeper {
  const { engine, versions, turns, journal, now } = governor;
  let count = 0;
  let latest: ReturnType<Keeper['drifts']>['latest'] = null;
  let tail: Promise<unknown> = Promise.resolve();

  /** Reading and writing the files, one after the other. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const next = tail.then(work, work);
    tail = next.catch(() => {});
    return next;
  };

  const tell = (drift: Drift, restored: boolean): void => {
    const { version } = engine.set;
    count++;
    latest = { ...drift, atMs: now(), restored };
    ctx.log.error('a file of the policies in force was altered; the accepted ones go on', { ...drift, restored });
    ctx.supervisor.report({ name: 'governance:drift', data: { ...drift, restored, version } });
  };

  return {
    drifts: () => ({ count, latest }),
    reload: (by) =>
      alone(async () => {
        const { set: next } = await check({ folders });
        const former = engine.set.version;
        const policies = Object.keys(next.policies).length;
        if (next.version === former) return { version: former, former, changed: false, policies };
        const activate = engine.prepare(next);
        const question: Question = {
          principal: by,
          action: 'change_policies',
          resource: 'policies',
          context: { version: next.version },
        };
        const decision = await turns.take(() => {
          const request = { reason: 'other policies', forMs: 3_600_000 };
          const decided = governor.decideNow(question, { asker: by, correlation: undefined, request });
          if (decided.outcome === 'permit') {
            versions.accept(next, by, now());
            ctx.store.set(UNFINISHED, true);
            const act = { actor: by, action: 'change policies', resource: next.version, outcome: 'accepted' };
            journal.write(
              {
                kind: 'policies',
                id: `act-${decided.id}`,
                ...act,
                payload: { former, policies, decision: decided.id },
              },
              now(),
            );
          }
          return decided;
        });
        if (decision.outcome !== 'permit') throw refusal(`${by} changing policies`, decision);
        activate();
        ctx.supervisor.report({ name: 'governance:policies', data: { version: next.version, former, by, policies } });
        await sealed.write(next.files);
        ctx.store.delete(UNFINISHED);
        return { version: next.version, former, changed: true, policies };
      }),
    async pending() {
      try {
        return { changed: differing(await readFiles(folders), engine.set.files), error: null };
      } catch (error) {
        return { changed: [], error: (error as Error).message };
      }
    },
    look: () =>
      alone(async () => {
        const { files } = engine.set;
        const drifts = sealed.compare(files);
        if (drifts.length === 0) return;
        let trouble: string | null = null;
        try {
          await sealed.write(files);
        } catch (error) {
          trouble = (error as Error).message;
          ctx.log.error('the files of the policies in force could not be put back', { error: trouble });
        }
        await turns.take(() => {
          for (const drift of drifts) {
            const outcome = trouble === null ? 'refused, restored' : 'refused';
            const act = { actor: 'unknown', action: 'alter policies in force', resource: drift.file, outcome };
            journal.write(
              { kind: 'drift', id: `act-${crypto.randomUUID()}`, ...act, payload: { ...drift, trouble } },
              now(),
            );
          }
        });
        for (const drift of drifts) tell(drift, trouble === null);
      }),
  };
}

function differing(now: readonly PolicyFile[], inForce: readonly PolicyFile[]): string[] {
  const [found, kept] = [now, inForce].map((files) => new Map(files.map(({ name, text }) => [name, text]))) as [
    Map<string, string>,
    Map<string, string>,
  ];
  return [...new Set([...found.keys(), ...kept.keys()])].filter((name) => found.get(name) !== kept.get(name)).sort();
}
