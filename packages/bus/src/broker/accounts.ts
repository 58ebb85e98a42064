import type { BusLatency, BusTotals } from '@grace/contracts';
import { familyOf } from '../subject/subject.ts';
import { Latency } from './latency.ts';

/** Families beyond this many share one account, so that invented subjects cannot fill the memory. */
const MAX_FAMILIES = 256;
const OTHER_FAMILIES = 'other';

/** What is counted of one family. */
export interface Account extends BusTotals {
  readonly latency: Latency;
}

/**
 * One account per family of subjects. What is counted is deliveries: a message to three subscribers is accepted three times and handled,
 * rejected or expired three times; a message nobody subscribes to is accepted once and handled once, by nobody. `waiting` is not kept
 * here: it is counted from the queues themselves, so that the equation can fail.
 */
export class Accounts {
  readonly #families = new Map<string, Account>();

  of(subject: string): Account {
    const family = familyOf(subject);
    const account = this.#families.get(family);
    if (account) return account;
    return this.#families.size < MAX_FAMILIES
      ? this.#open(family)
      : (this.#families.get(OTHER_FAMILIES) ?? this.#open(OTHER_FAMILIES));
  }

  /** Copies of all accounts and their sum. `waiting` names the account of each delivery that waits, `kept` how many wait on disk. */
  totals(
    waiting: Iterable<BusTotals>,
    kept: Iterable<readonly [BusTotals, number]>,
  ): { total: BusTotals; families: Record<string, BusTotals> } {
    for (const account of this.#families.values()) account.waiting = 0;
    for (const account of waiting) account.waiting++;
    for (const [account, count] of kept) account.waiting += count;
    const total = empty();
    const families: Record<string, BusTotals> = {};
    for (const [family, account] of this.#families) {
      const { latency: _, ...totals } = account;
      families[family] = totals;
      for (const key of Object.keys(total) as (keyof BusTotals)[]) total[key] += account[key];
    }
    return { total, families };
  }

  latency(): Record<string, BusLatency> {
    return Object.fromEntries([...this.#families].map(([family, { latency }]) => [family, latency.read()]));
  }

  #open(family: string): Account {
    const account = { ...empty(), latency: new Latency() };
    this.#families.set(family, account);
    return account;
  }
}

const empty = (): BusTotals => ({
  accepted: 0,
  handled: 0,
  rejected: 0,
  expired: 0,
  deadLettered: 0,
  waiting: 0,
  denied: 0,
});
