import type { End } from '../outcomes/outcome.ts';
import type { Beta } from './beta.ts';

/** Outcomes of one kind of a playbook within one day, and how many. */
export interface Tally {
  end: End;
  /** Days since 1970. */
  day: number;
  count: number;
}

/** Outcomes by weight: what is old weighs less, what made things worse weighs more. */
export interface Weight {
  success: number;
  failure: number;
}

export const DAY_MS = 24 * 3_600_000;
/** A run that made things worse is as bad as this many that did nothing. */
export const WORSE_WEIGHT = 3;
/** Before anything is known: Beta(1, 1), every chance alike. */
const NOTHING_KNOWN: Weight = { success: 1, failure: 1 };
/** What a playbook did elsewhere counts for at most this many outcomes here, so that what was seen here soon outweighs it. */
export const POOLED_MAX = 4;

/** @param halfLifeMs an outcome of this age weighs half */
export function weigh(tallies: readonly Tally[], nowMs: number, halfLifeMs: number): Weight {
  // In one order whatever the order of arrival: sums of fractions depend on it.
  const ordered = [...tallies].sort(
    (a, b) => a.day - b.day || (a.end < b.end ? -1 : a.end > b.end ? 1 : a.count - b.count),
  );
  const weight: Weight = { success: 0, failure: 0 };
  for (const { end, day, count } of ordered) {
    // A clock that was set back makes what is recent lie ahead; it is as good as new.
    const ageMs = Math.max(0, nowMs - day * DAY_MS);
    const share = count * 2 ** (-ageMs / halfLifeMs);
    if (end === 'healed') weight.success += share;
    else if (end === 'not_healed') weight.failure += share;
    else if (end === 'made_worse') weight.failure += WORSE_WEIGHT * share;
  }
  return weight;
}

/**
 * The chance that a playbook heals what bears a signature. Its prior is what the playbook did against all others, shrunk to at most
 * `POOLED_MAX` outcomes: with few data here it is pooled with the rest, with many it stands for itself.
 */
export function posterior(here: Weight, elsewhere: Weight): Beta {
  const seen = elsewhere.success + elsewhere.failure;
  const start = NOTHING_KNOWN.success + NOTHING_KNOWN.failure;
  const chance = (NOTHING_KNOWN.success + elsewhere.success) / (start + seen);
  const strength = start + Math.min(seen, POOLED_MAX);
  return { alpha: chance * strength + here.success, beta: (1 - chance) * strength + here.failure };
}
