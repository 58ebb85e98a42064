import { dirname, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { askRestore } from './permission.ts';
import { type Place, statePlaces } from './places.ts';
import { type Restored, type Restoring, restoreItems } from './restore.ts';
import type { SnapshotSettings } from './settings.ts';
import { type Entry, type Freed, openShelf, type Shelf } from './shelf.ts';
import { createSoundness } from './soundness.ts';
import { createSwap } from './swap.ts';
import { type Taken, takeSnapshot } from './take.ts';
import { createWatch, type Standing } from './watch.ts';

/** Snapshots, and everything that is done with them; one thing at a time. */
export interface Hygiene {
  readonly shelf: Shelf;
  take(names: readonly string[], by: string, note: string): Promise<Taken & { pruned: Freed }>;
  restore(asked: Restoring): Promise<Restored>;
  verify(entries: readonly Entry[]): Promise<void>;
  prune(): Promise<Freed>;
  /** Every original against the last good snapshot that has it. */
  compare(name?: string): Promise<Standing[]>;
  /** What is known without reading anything. */
  summary(): Record<string, unknown>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

/** A system that has just started has better things to do. */
const FIRST_MS = 600_000;
const LOOK = 'a look';

/** @param checker file of the thread that checks forms, absolute */
export async function openHygiene(ctx: KernelContext, settings: SnapshotSettings, checker: string): Promise<Hygiene> {
  const dir = join(ctx.stateDir, 'snapshots');
  const shelf = await openShelf(dir, ctx.store);
  const swap = createSwap(shelf, ctx.store, join(dir, 'replaced'));
  const resumed = await swap.resume();
  if (resumed.done.length + resumed.dropped.length > 0) ctx.log.warn('a restore was cut off', { ...resumed });
  const check = createSoundness(checker, ctx.signal);
  const ask = askRestore(ctx);
  const watch = createWatch(shelf, settings.places, check);
  const places = async (): Promise<Place[]> => [...(await statePlaces(dirname(ctx.stateDir))), ...settings.places];
  const troubled = new Map<string, Standing>();
  const toldBad = new Set<string>();
  const startedMono = ctx.clock.monoMs();
  let unseen: string[] = [];
  let under: { what: string; end: Promise<unknown> } | null = null;

  const alone = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    ctx.signal.throwIfAborted();
    // A look takes one piece and nobody asked for it, so nobody is refused for it.
    while (under?.what === LOOK) await under.end.catch(() => {});
    if (under !== null)
      throw new GraceError('CONFLICT', `${under.what} is under way; one thing at a time is done with snapshots`);
    const end = work();
    under = { what, end };
    try {
      return await end;
    } finally {
      under = null;
    }
  };

  const tell = (event: string, payload: Record<string, unknown>): void => {
    ctx.log.warn(`snapshots: ${event}`, payload);
    ctx.bus.publish(`kernel.${ctx.id}.event.${event}`, payload).catch((error: Error) => {
      ctx.log.debug('an event could not be published', { event, error: error.message });
    });
  };
  const tellBad = (id: string, bad: string): void => {
    if (toldBad.has(id)) return;
    toldBad.add(id);
    tell('snapshot_bad', { snapshot: id, why: bad });
  };

  const prune = (): Promise<Freed> => shelf.prune(settings, ctx.clock.wallMs());

  const take = async (names: readonly string[], by: string, note: string, without: ReadonlySet<string>) => {
    const { bounds } = settings;
    const taken = await takeSnapshot(
      shelf,
      await places(),
      { names, without },
      {
        bounds,
        check,
        by,
        note,
        nowMs: ctx.clock.wallMs(),
        signal: ctx.signal,
      },
    );
    return { ...taken, pruned: await prune() };
  };

  /** One piece of one snapshot, and what the originals look like from outside. */
  const look = async (): Promise<void> => {
    if (under !== null) return;
    await alone(LOOK, async () => {
      if (unseen.length === 0) {
        const entries = await shelf.list();
        for (const { id, bad } of entries) if (bad !== null) tellBad(id, bad);
        const good = entries.flatMap(({ snapshot, bad }) => (bad === null && snapshot ? snapshot.items : []));
        unseen = [...new Set(good.flatMap(({ chunks }) => chunks))];
      }
      const hash = unseen.pop();
      if (hash !== undefined) {
        const damage = await shelf.chunks.read(hash).then(
          () => null,
          (error: Error) => error.message,
        );
        if (damage !== null) {
          for (const { id, snapshot, bad } of await shelf.list()) {
            const item = snapshot?.items.find(({ chunks }) => chunks.includes(hash));
            if (bad !== null || !item) continue;
            shelf.mark(id, `${item.item}: ${damage}`);
            tellBad(id, `${item.item}: ${damage}`);
          }
        }
      }
      for (const standing of await watch.glance()) {
        if (standing.verdict === 'same') troubled.delete(standing.item);
        else troubled.set(standing.item, standing);
        tell('original', { ...standing });
      }
    });
    await takeDue();
  };

  /** What differs is not taken over unless somebody says so: else the next snapshot would make damage the last good state. */
  const takeDue = async (): Promise<void> => {
    const now = ctx.clock.monoMs();
    if (settings.everyMs === 0 || under !== null || now - startedMono < Math.min(FIRST_MS, settings.everyMs)) return;
    const last = (await shelf.list()).at(-1)?.snapshot?.takenMs ?? 0;
    if (Math.abs(ctx.clock.wallMs() - last) < settings.everyMs) return;
    await alone('a snapshot', async () => {
      const differ = (await watch.compare()).filter(({ verdict }) => verdict !== 'same');
      await take([], ctx.id, 'on schedule', new Set(differ.map(({ item }) => item)));
    });
  };

  ctx.every(settings.lookMs, look);

  return {
    shelf,
    summary: () => ({
      good: shelf.last().filter(({ bad }) => bad === null).length,
      bad: shelf.last().filter(({ bad }) => bad !== null).length,
      last: shelf.last().findLast(({ bad }) => bad === null)?.id ?? null,
      // By the looks so far.
      troubled: [...troubled.values()].slice(0, 20).map(({ item, verdict, why }) => ({ item, verdict, why })),
    }),
    async settled() {
      while (under !== null) await under.end.catch(() => {});
    },
    compare: (name) => watch.compare(name),
    prune: () => alone('pruning', prune),
    take: (names, by, note) =>
      alone('a snapshot', async () => {
        // Named, it is meant; unnamed, nobody has looked at it.
        const corrupted =
          names.length > 0 ? [] : (await watch.compare()).filter(({ verdict }) => verdict === 'corrupted');
        return await take(names, by, note, new Set(corrupted.map(({ item }) => item)));
      }),
    async verify(entries) {
      for (const entry of entries) {
        const bad = await shelf.verify(entry);
        if (bad === null) toldBad.delete(entry.id);
        else tellBad(entry.id, bad);
      }
    },
    restore: (asked) =>
      alone('a restore', async () => {
        const parts = { shelf, swap, places: await places(), ask, besideDir: join(dir, 'restored') };
        const restored = await restoreItems(ctx, parts, asked);
        for (const { id, bad } of restored.passedOver) tellBad(id, bad);
        if (!asked.beside) put(ctx, asked, restored);
        return restored;
      }),
  };
}

/** On the record, and among the decisions; neither holds the restore up, which has happened. */
function put(
  ctx: KernelContext,
  { principal, item }: Restoring,
  { snapshot, items, decision, replaced, passedOver }: Restored,
): void {
  const what = `${item ?? 'everything'} was restored from ${snapshot}`;
  const failed = (error: Error): void => ctx.log.warn(`${what}, which could not be recorded`, { error: error.message });
  const entry = {
    actor: principal,
    action: 'snapshot:restore',
    resource: item ?? snapshot,
    subsystem: ctx.id,
    outcome: 'restored',
    payload: { snapshot, decision, replaced, files: items.length, first: items.slice(0, 20) },
  };
  ctx.bus.publish(`audit.${ctx.id}`, entry).catch(failed);
  const alternatives = passedOver
    .slice(0, 10)
    .map(({ id, bad }) => ({ what: `restoring ${id}`, whyNot: bad.slice(0, 200) }));
  const record = {
    what: what.slice(0, 300),
    why: `${principal} asked for it`,
    where: ctx.id,
    ...(alternatives.length > 0 ? { alternatives } : {}),
    evidence: { decisions: [decision] },
    confidence: 1,
  };
  ctx.call('clarity_framework', 'record', record, { deadlineMs: 2000 }).catch(failed);
}
