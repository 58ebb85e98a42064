import { didYouMean, GraceError } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import { ITEM_PATTERN, isMeant } from './document.ts';
import type { Hygiene } from './hygiene.ts';
import type { Entry } from './shelf.ts';

const ID = is.string({ max: 40, pattern: /^snap-[1-9]\d{0,14}$/, what: 'the id of a snapshot, like snap-12' });
const ITEM = is.string({
  max: 1000,
  pattern: ITEM_PATTERN,
  what: 'an item, like state/scheduler or config/configs/acl.yaml',
});
const FILES_SHOWN = 200;
const FILES_SHOWN_MAX = 1000;

/** The verbs about snapshots. `opened` is awaited at each call, so that the start does not wait for a disk. */
export function snapshotVerbs(opened: Promise<Hygiene>): Record<'snapshots' | 'snapshot' | 'restore', Verb> {
  return {
    async snapshots(input) {
      const asked = readInput(input, {
        id: is.optional(ID),
        item: is.optional(ITEM),
        verify: is.optional(is.boolean()),
        originals: is.optional(is.boolean()),
        prune: is.optional(is.boolean()),
        limit: is.optional(is.number({ min: 1, max: FILES_SHOWN_MAX, integer: true })),
      });
      const { id, item, limit = FILES_SHOWN } = asked;
      const hygiene = await opened;
      const chosen = async (): Promise<Entry[]> =>
        id === undefined ? await hygiene.shelf.list() : [await hygiene.shelf.entry(id)];
      if (asked.verify) await hygiene.verify(await chosen());
      const pruned = asked.prune ? await hygiene.prune() : undefined;
      const originals = asked.originals ? await hygiene.compare(item?.replace(/\/$/, '')) : undefined;
      const entries = await chosen();
      return {
        snapshots: entries.map(brief),
        ...(id === undefined
          ? {}
          : { files: filesOf(entries[0]!, item, limit), skipped: entries[0]!.snapshot?.skipped ?? [] }),
        ...(pruned && { pruned }),
        ...(originals && {
          originals: originals.filter(({ verdict }) => verdict !== 'same').slice(0, limit),
          compared: originals.length,
        }),
        disk: await hygiene.shelf.chunks.size(),
      };
    },
    async snapshot(input, meta) {
      const { items = [], note = '' } = readInput(input, {
        items: is.optional(is.array(ITEM, { max: 100 })),
        note: is.optional(is.string({ min: 0, max: 500 })),
      });
      const { snapshot, newBytes, pruned } = await (await opened).take(items, meta.from, note);
      return {
        ...brief({ id: snapshot.id, takenMs: snapshot.takenMs, snapshot, bad: null }),
        newBytes,
        skipped: snapshot.skipped,
        pruned: pruned.removed,
      };
    },
    async restore(input, meta) {
      const {
        snapshot,
        item,
        beside = false,
      } = readInput(input, {
        snapshot: is.optional(ID),
        item: is.optional(ITEM),
        beside: is.optional(is.boolean()),
      });
      if (snapshot === undefined && item === undefined)
        throw new GraceError('BAD_INPUT', 'input: expected a snapshot, an item, or both, got neither');
      return await (await opened).restore({ snapshot, item: item?.replace(/\/$/, ''), beside, principal: meta.from });
    },
  };
}

function brief({ id, takenMs, snapshot, bad }: Omit<Entry, 'number'>): Record<string, unknown> {
  return {
    id,
    taken: new Date(takenMs).toISOString(),
    by: snapshot?.by ?? null,
    note: snapshot?.note ?? null,
    files: snapshot?.items.length ?? null,
    bytes: snapshot?.items.reduce((sum, { bytes }) => sum + bytes, 0) ?? null,
    good: bad === null,
    bad,
  };
}

function filesOf({ id, snapshot }: Entry, item: string | undefined, limit: number): Record<string, unknown>[] {
  const all = snapshot?.items ?? [];
  const meant = item === undefined ? all : all.filter((one) => isMeant(one.item, item.replace(/\/$/, '')));
  if (item !== undefined && meant.length === 0) {
    const near = didYouMean(
      item,
      all.map((one) => one.item),
    );
    throw new GraceError('NOT_FOUND', `${id} has no ${JSON.stringify(item)}${near}`, { id, item });
  }
  return meant
    .slice(0, limit)
    .map(({ chunks, ...one }) => ({ ...one, mode: `0${one.mode.toString(8)}`, chunks: chunks.length }));
}
