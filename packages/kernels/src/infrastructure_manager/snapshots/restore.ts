import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { didYouMean, GraceError, type StatusDocument } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { type Item, isMeant, type Snapshot } from './document.ts';
import type { AskRestore } from './permission.ts';
import { NEVER, type Place, pathOf, refuseOutside } from './places.ts';
import type { Entry, Shelf } from './shelf.ts';
import type { Swap, Target } from './swap.ts';

export interface Restored {
  snapshot: string;
  takenMs: number;
  decision: string;
  items: { item: string; path: string; sha256: string; bytes: number }[];
  /** Where the replaced files are; null: nothing was replaced. */
  replaced: string | null;
  /** Newer snapshots that were passed over, as they are damaged. */
  passedOver: { id: string; bad: string }[];
  /** Kernels whose state was replaced and that were started meanwhile: they may hold what was there before until they are restarted. */
  startedMeanwhile: string[];
}

export interface Restoring {
  snapshot: string | undefined;
  item: string | undefined;
  /** True: put together in a folder of this kernel; what is in use stays as it is. */
  beside: boolean;
  principal: string;
}

/** States in which a kernel has no thread, and gets none by itself. */
const DOWN: readonly string[] = ['stopped', 'failed', 'quarantined'];

/**
 * Puts items of a snapshot back; of the newest good one where none is named.
 * @throws GraceError `NOT_FOUND`, `CONFLICT` for a damaged snapshot or a kernel that is not down, `FORBIDDEN` for a path that leads out and by policy,
 * `APPROVAL_NEEDED`, `GOVERNANCE_UNREACHABLE`. Then nothing has changed.
 */
export async function restoreItems(
  ctx: KernelContext,
  {
    shelf,
    swap,
    places,
    ask,
    besideDir,
  }: { shelf: Shelf; swap: Swap; places: readonly Place[]; ask: AskRestore; besideDir: string },
  { snapshot: id, item: name, beside, principal }: Restoring,
): Promise<Restored> {
  const { snapshot, passedOver } = await sound(shelf, id, name);
  const items = meant(snapshot, name);
  const targets = beside ? besideOf(items, join(besideDir, snapshot.id)) : await inPlace(items, places);
  const kernels = beside ? [] : kernelsOf(items);
  if (kernels.length > 0) await refuseRunning(ctx, kernels);
  const decision = await ask(principal, snapshot, items);
  let replaced: string | null = null;
  if (beside) {
    for (const { item, path } of targets) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await rm(path, { force: true });
      await shelf.assemble(item, path);
    }
  } else {
    // Asking took time.
    if (kernels.length > 0) await refuseRunning(ctx, kernels);
    replaced = await swap.replace(targets, snapshot.id);
  }
  return {
    snapshot: snapshot.id,
    takenMs: snapshot.takenMs,
    decision,
    items: targets.map(({ item, path }) => ({ item: item.item, path, sha256: item.sha256, bytes: item.bytes })),
    replaced,
    passedOver,
    startedMeanwhile: kernels.length > 0 ? await runningOf(ctx, kernels).catch(() => kernels) : [],
  };
}

/** The snapshot, every byte of it read just now. */
async function sound(
  shelf: Shelf,
  id: string | undefined,
  name: string | undefined,
): Promise<{ snapshot: Snapshot; passedOver: Restored['passedOver'] }> {
  const has = ({ snapshot }: Entry): boolean =>
    snapshot?.items.some(({ item }) => name === undefined || isMeant(item, name)) ?? false;
  if (id !== undefined) {
    const entry = await shelf.entry(id);
    const bad = entry.bad ?? (await shelf.verify(entry));
    if (bad === null) return { snapshot: entry.snapshot!, passedOver: [] };
    const others = (await shelf.list()).filter((one) => one.bad === null && has(one));
    throw new GraceError(
      'CONFLICT',
      `${id} is damaged and is never restored from: ${bad}; ${others.length > 0 ? `the last good one is ${others.at(-1)!.id}` : 'there is no good one'}`,
      { id, lastGood: others.at(-1)?.id ?? null },
    );
  }
  const passedOver: Restored['passedOver'] = [];
  const entries = await shelf.list();
  for (const entry of entries.toReversed()) {
    if (entry.snapshot !== null && !has(entry)) continue;
    const bad = entry.bad ?? (await shelf.verify(entry));
    if (bad === null) return { snapshot: entry.snapshot!, passedOver };
    passedOver.push({ id: entry.id, bad });
  }
  const names = entries.flatMap(({ snapshot }) => snapshot?.items.map(({ item }) => item) ?? []);
  const near = name === undefined ? '' : didYouMean(name, new Set(names));
  throw new GraceError(
    'NOT_FOUND',
    `no good snapshot has ${name === undefined ? 'anything' : JSON.stringify(name)}${near}${passedOver.map((one) => `; ${one.id}: ${one.bad}`).join('')}`,
    { item: name ?? null },
  );
}

function meant(snapshot: Snapshot, name: string | undefined): Item[] {
  const items = name === undefined ? snapshot.items : snapshot.items.filter(({ item }) => isMeant(item, name));
  if (items.length > 0) return items;
  const names = snapshot.items.map(({ item }) => item);
  throw new GraceError('NOT_FOUND', `${snapshot.id} has no ${JSON.stringify(name)}${didYouMean(name!, names)}`, {
    snapshot: snapshot.id,
    item: name,
  });
}

function besideOf(items: readonly Item[], folder: string): Target[] {
  return items.map((item) => ({ item, path: join(folder, item.item) }));
}

/** Where items belong now: only into places that are there, or are registered, at this moment. */
async function inPlace(items: readonly Item[], places: readonly Place[]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const item of items) {
    const place = places.find(({ group, name }) => isMeant(item.item, `${group}/${name}`));
    if (!place) {
      throw new GraceError('FORBIDDEN', `${item.item}: nothing is registered under this name any more`, {
        item: item.item,
      });
    }
    const path = pathOf(place, item.item);
    await refuseOutside(place, path);
    targets.push({ item, path });
  }
  return targets;
}

function kernelsOf(items: readonly Item[]): string[] {
  const kernels = [...new Set(items.filter(({ group }) => group === 'state').map(({ item }) => item.split('/')[1]!))];
  const never = kernels.find((kernel) => NEVER.includes(kernel));
  if (never !== undefined)
    throw new GraceError('FORBIDDEN', `the state of ${never} is never restored`, { kernel: never });
  return kernels;
}

async function refuseRunning(ctx: KernelContext, kernels: readonly string[]): Promise<void> {
  const running = await runningOf(ctx, kernels);
  if (running.length === 0) return;
  throw new GraceError(
    'CONFLICT',
    `${running.join(', ')} ${running.length === 1 ? 'is' : 'are'} not down: a kernel holds what it has read, so its state is replaced only while it has no thread; pause it first (grace pause ${running[0]}), or restore beside`,
    { kernels: running },
  );
}

async function runningOf(ctx: KernelContext, kernels: readonly string[]): Promise<string[]> {
  let status: StatusDocument;
  try {
    status = (await ctx.supervisor.command('status', {}, 2000)) as StatusDocument;
  } catch (error) {
    throw new GraceError('CONFLICT', `the supervisor does not say which kernels are down: ${(error as Error).message}`);
  }
  return kernels.filter((id) => status.kernels.some((kernel) => kernel.id === id && !DOWN.includes(kernel.state)));
}
