import { type Beta, type Interval, interval, mean } from '../choice/beta.ts';
import type { Candidate } from '../choice/choose.ts';
import { DAY_MS, posterior, type Tally, weigh } from '../choice/posterior.ts';
import type { OutcomeBook } from './book.ts';
import type { End } from './outcome.ts';

/** What is expected of a playbook against a signature. */
export interface Expectation extends Beta, Interval {
  playbook: string;
  /** Of the posterior: the expected share of runs that heal; `low` to `high` are its middle 95 %. */
  mean: number;
  /** Runs that count, here and against everything else. */
  runs: number;
  healed: number;
  elsewhere: number;
}

const COUNTS: ReadonlySet<End> = new Set(['healed', 'not_healed', 'made_worse']);

export interface Settings {
  nowMs: number;
  halfLifeMs: number;
}

/** Answers what a playbook can be expected to do against a signature, from all that was seen until now. Each playbook is read once. */
export function createForecast(
  book: OutcomeBook,
  settings: Settings,
): (signature: string, playbook: string) => Expectation {
  const read = new Map<string, ReadonlyMap<string, Tally[]>>();
  return (signature, playbook) => {
    const tallies = read.get(playbook) ?? book.tallies(playbook);
    read.set(playbook, tallies);
    return expectation(tallies, signature, playbook, settings);
  };
}

function expectation(
  tallies: ReadonlyMap<string, Tally[]>,
  signature: string,
  playbook: string,
  { nowMs, halfLifeMs }: Settings,
): Expectation {
  const here = tallies.get(signature) ?? [];
  const elsewhere = [...tallies].flatMap(([other, list]) => (other === signature ? [] : list));
  const beta = posterior(weigh(here, nowMs, halfLifeMs), weigh(elsewhere, nowMs, halfLifeMs));
  const sum = (list: readonly Tally[]): number =>
    list.reduce((all, { end, count }) => all + (COUNTS.has(end) ? count : 0), 0);
  return {
    playbook,
    ...beta,
    mean: mean(beta),
    ...interval(beta),
    runs: sum(here),
    healed: sum(here.filter(({ end }) => end === 'healed')),
    elsewhere: sum(elsewhere),
  };
}

export function candidateOf({ playbook, alpha, beta }: Expectation): Candidate {
  return { playbook, alpha, beta };
}

/** Share of its first weight that an outcome of this age still has. */
export function leftOf(atMs: number, nowMs: number, halfLifeMs: number): number {
  return 2 ** (-Math.max(0, nowMs - Math.floor(atMs / DAY_MS) * DAY_MS) / halfLifeMs);
}
