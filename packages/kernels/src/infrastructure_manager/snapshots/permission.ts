import { type KernelContext, requirePermit } from '@grace/kernel-sdk';
import type { Item, Snapshot } from './document.ts';

const DEADLINE_MS = 1000;
/** Names in one question. */
const NAMES_MAX = 100;

/** May this principal put these items of the snapshot back? Answers the id of the decision. */
export type AskRestore = (principal: string, snapshot: Snapshot, items: readonly Item[]) => Promise<string>;

/**
 * Asks governance in the caller's name.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED`, `GOVERNANCE_UNREACHABLE`
 */
export function askRestore(ctx: KernelContext): AskRestore {
  return async (principal, snapshot, items) => {
    const places = [...new Set(items.map(({ item }) => item.split('/').slice(0, 2).join('/')))].sort();
    const question = {
      action: 'restore_snapshot',
      resource: snapshot.id,
      principal,
      context: { items: places.slice(0, NAMES_MAX), state: items.some(({ group }) => group === 'state') },
      reason: `${items.length} files of ${snapshot.id} take the place of what is there`,
    };
    const what = `the restore of ${snapshot.id} (${places.join(', ').slice(0, 200)}) for ${principal}`;
    return (await requirePermit(ctx, question, { what, deadlineMs: DEADLINE_MS })).id;
  };
}
