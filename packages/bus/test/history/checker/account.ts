import type { Totals } from '../entries.ts';
import type { Story } from './story.ts';
import type { Violation } from './violation.ts';

/** The broker's own books: accepted = handled + rejected + expired + dead-lettered + waiting whenever it was asked, and nothing waits at the end. */
export function findImbalance({ accounts, dead }: Story): Violation[] {
  const found: Violation[] = [];
  const broken = (message: string): void => void found.push({ rule: 'account', keys: [], message });
  for (const { account, place } of accounts) {
    for (const [family, totals] of [['all', account.total] as const, ...Object.entries(account.families)]) {
      const { accepted, handled, rejected, expired, deadLettered, waiting } = totals;
      if (accepted === handled + rejected + expired + deadLettered + waiting) continue;
      broken(`the broker's account of ${family} does not balance (${place}): ${inWords(totals)}`);
    }
    for (const key of ['accepted', 'handled', 'rejected', 'expired', 'deadLettered', 'waiting'] as const) {
      const sum = Object.values(account.families).reduce((all, family) => all + family[key], 0);
      if (sum !== account.total[key])
        broken(`its families have ${sum} ${key}, its total ${account.total[key]} (${place})`);
    }
  }
  const last = accounts.findLast((one) => one.last);
  if (!last) {
    broken('the broker gave no account at the end');
    return found;
  }
  const { total, dead: letters } = last.account;
  if (total.waiting !== 0) broken(`at the end ${total.waiting} deliveries still wait (${last.place})`);
  if (letters !== dead.length)
    broken(`the broker counts ${letters} dead letters and lists ${dead.length} (${last.place})`);
  return found;
}

const inWords = ({ accepted, handled, rejected, expired, deadLettered, waiting }: Totals): string =>
  `${accepted} accepted, ${handled} handled, ${rejected} rejected, ${expired} expired, ${deadLettered} dead-lettered, ${waiting} waiting`;
