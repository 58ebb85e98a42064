import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Courier } from '../courier.ts';
import type { HandworkBook } from './book.ts';
import { type Draft, draftOf } from './draft.ts';
import { type Pattern, patternsOf } from './pattern.ts';

const KNOWN = 'drafts.known';
const KNOWN_MAX = 1000;

/** What people do again and again, as drafts of playbooks. Nothing here puts one into force. */
export interface DraftDesk {
  drafts(): Promise<Draft[]>;
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  draft(id: string): Promise<Draft>;
  /** Something was learned: says of a draft that is new that it is there. */
  look(): void;
  /** What is kept of incidents or runs is another than before. */
  changed(): void;
  count(): number;
}

export function createDraftDesk(ctx: KernelContext, handwork: HandworkBook, courier: Courier): DraftDesk {
  let found: Pattern[] | undefined;
  const patterns = (): Pattern[] => {
    const acts = found ? [] : handwork.acts();
    found ??= acts.length === 0 ? [] : patternsOf(handwork.episodes(), acts);
    return found;
  };
  const write = async (these: readonly Pattern[]): Promise<Draft[]> => {
    if (these.length === 0) return [];
    // The validator is heavy, and most systems never have a draft.
    const { parsePlaybook } = await import('../../self_healing/playbook/parse.ts');
    return these.map((pattern) => draftOf(pattern, parsePlaybook));
  };
  return {
    drafts: () => write(patterns()),
    async draft(id) {
      const all = patterns();
      const pattern = all.find((one) => one.id === id);
      if (!pattern) {
        const ids = all.map((one) => one.id);
        throw new GraceError('NOT_FOUND', `no draft has the id ${JSON.stringify(id)}${didYouMean(id, ids)}`, {
          id,
          ids,
        });
      }
      return (await write([pattern]))[0]!;
    },
    look() {
      found = undefined;
      const known = ctx.store.get<string[]>(KNOWN) ?? [];
      const fresh = patterns().filter(({ id }) => !known.includes(id));
      if (fresh.length === 0) return;
      ctx.store.transaction(() => {
        ctx.store.set(KNOWN, [...known, ...fresh.map(({ id }) => id)].slice(-KNOWN_MAX));
        for (const { id, kind, incidents, records, steps, by } of fresh) {
          courier.put({
            what: `propose the playbook draft ${id} against ${kind}`,
            why: `${by.join(', ')} did the same by hand in ${incidents.length} incidents: ${steps.map(({ act }) => act).join(', ')}`,
            how: `grace call learning_integration drafts '{"id": "${id}"}' shows it; nothing puts it into force but a person`,
            evidence: { incidents: incidents.slice(-100), records: records.slice(-100) },
            key: id,
          });
        }
      });
      courier.wake();
      for (const { id, kind, incidents } of fresh)
        ctx.log.info('people repeat a fix; there is a draft of a playbook', { id, kind, times: incidents.length });
    },
    changed() {
      found = undefined;
    },
    count: () => patterns().length,
  };
}
