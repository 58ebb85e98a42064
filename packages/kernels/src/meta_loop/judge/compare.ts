import { hodgesLehmann, mean } from './change.ts';
import { seeded, shuffle } from './random.ts';
import { ranksOf } from './ranks.ts';

export interface Comparison {
  /** Probability of the second being so much higher, or so much lower, if both were alike; one-sided each. */
  pHigher: number;
  pLower: number;
  shift: number;
}

const REPETITIONS = 4999;
/** As extreme in both directions: neither is going to be clear any more. */
const HITS = 50;

/** Two samples by a permutation test of their rank sum. */
export function compare(before: readonly number[], after: readonly number[], counts: boolean): Comparison {
  const { ranks } = ranksOf([...before, ...after]);
  const sumFrom = (order: Float64Array): number => {
    let sum = 0;
    for (let i = before.length; i < order.length; i++) sum += order[i]!;
    return sum;
  };
  const found = sumFrom(ranks);
  const random = seeded(before.length * 65_537 + after.length);
  const order = Float64Array.from(ranks);
  let higher = 0;
  let lower = 0;
  let tried = 0;
  while (tried < REPETITIONS && (higher < HITS || lower < HITS)) {
    tried++;
    shuffle(order, random);
    const sum = sumFrom(order);
    if (sum >= found - 1e-9) higher++;
    if (sum <= found + 1e-9) lower++;
  }
  const p = (hits: number): number => (hits + 1) / (tried + 1);
  return {
    ...{ pHigher: p(higher), pLower: p(lower) },
    shift: counts ? mean(after) - mean(before) : hodgesLehmann(before, after),
  };
}
