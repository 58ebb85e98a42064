import type { KernelContext } from '@grace/kernel-sdk';
import type { Ledger, Repair } from '@grace/ledger';
import type { Integrity } from './integrity.ts';
import type { SearchIndex } from './search-index.ts';
import type { Transparency } from './transparency.ts';

/** What the verb answers: the seal without its lists, which stand in `seal.json`. */
export interface RepairAnswer extends Pick<Repair, 'action' | 'epoch' | 'tookMs'> {
  problems: Repair['problems'];
  problemCount: number;
  restored: string[];
  lost: { from: number; to: number }[];
  disputed: { from: number; to: number }[];
  last: { seq: number; hash: string };
}

const SHOWN = 20;

/**
 * Repairs the record while it is written; appends wait meanwhile.
 * Problems of the tree are such that only a new epoch answers; it gets a tree of its own.
 */
export async function repairRecord(
  ctx: KernelContext,
  parts: { ledger: Ledger; index: SearchIndex; integrity: Integrity; transparency: Transparency },
  order: { by: string; reason: string; dryRun: boolean },
): Promise<RepairAnswer> {
  const { ledger, index, integrity, transparency } = parts;
  const repair = await repairWithTree(ledger, transparency, order);
  if (!order.dryRun) {
    integrity.repaired(repair, order.by);
    index.followRepair().catch((error) => ctx.log.error('the search index is behind', { error: String(error) }));
    ctx.log.info('repair ended', { action: repair.action, tookMs: repair.tookMs });
  }
  const { action, epoch, tookMs, problems, restored, seal } = repair;
  return {
    ...{ action, epoch, tookMs, problems: problems.slice(0, SHOWN), problemCount: problems.length },
    ...{ restored: restored?.segments.slice(0, SHOWN) ?? [], lost: seal?.lost.slice(0, SHOWN) ?? [] },
    ...{ disputed: seal?.disputed.slice(0, SHOWN) ?? [], last: ledger.last },
  };
}

/** The tree stands still meanwhile: its files are moved with those of the ledger when the epoch is sealed. */
export async function repairWithTree(
  ledger: Ledger,
  transparency: Transparency,
  order: { by: string; reason: string; dryRun: boolean },
): Promise<Repair> {
  const found = { problems: transparency.problems, atLeast: await transparency.signedTo() };
  if (order.dryRun) return ledger.repair({ ...order, ...found });
  let isReopened = false;
  await transparency.pause();
  try {
    return await ledger.repair({
      ...order,
      ...found,
      async onEpoch() {
        isReopened = true;
        await transparency.reopen();
      },
    });
  } finally {
    if (!isReopened) await transparency.resume();
  }
}
