import type { EventMap } from '@grace/contracts';
import type { Repair } from '@grace/ledger';

const PROBLEMS_TOLD = 20;

/** What the opening of the journal found and did, in the words of the journal. */
export function repairTold({ problems, action, seal, restored, epoch, tookMs }: Repair): {
  damaged: EventMap['record:damaged'];
  repaired: EventMap['record:repaired'];
} {
  const countOf = (ranges: readonly { from: number; to: number }[] = []): number =>
    ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  return {
    damaged: { ledger: 'journal', count: problems.length, problems: problems.slice(0, PROBLEMS_TOLD) },
    repaired: {
      ...{ ledger: 'journal', action, by: 'supervisor', epoch },
      ...{ lost: countOf(seal?.lost), disputed: countOf(seal?.disputed), restored: restored?.segments ?? [], tookMs },
    },
  };
}
