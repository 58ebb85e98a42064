import { shuffle } from './random.ts';
import { rankSumVariance, ranksOf } from './ranks.ts';
import { median } from './summary.ts';

/** From here on a series is another one. */
export interface Change {
  /** Of the first value after it. */
  index: number;
  /** Probability of so clear a split, wherever it lies, in a series that never changed. */
  p: number;
  before: { n: number; median: number };
  after: { n: number; median: number };
  /** Difference of the two: the median of all pairwise differences (Hodges and Lehmann, 1963), or of the means where values are counts. */
  shift: number;
}

export interface ChangeOptions {
  /** Largest probability of reporting a change in a series that never changed. */
  alpha: number;
  /** Values on each side, at least. */
  side: number;
  random: () => number;
  counts: boolean;
}

/** Repetitions that are at least as extreme, after which the answer is clear enough (Besag and Clifford, 1991). */
const HITS = 20;
const REPETITIONS = { min: 400, max: 20_000 };

/** The smallest p a series of this length can reach: two orders of all its orders of high and low are as clear as can be. */
export function leastP(n: number): number {
  let orders = 1;
  const half = Math.floor(n / 2);
  for (let i = 1; i <= half; i++) orders = (orders * (n - half + i)) / i;
  return 2 / orders;
}

/**
 * Change points, oldest first: the split with the most extreme standardised rank sum (Mann and Whitney, at every place at once), told from
 * chance by permuting the whole series, so that looking at all places costs no false alarm; then the same in both parts, as long as
 * something is found. Blind to a change of spread alone, and an alarm of it is only as rare as promised where values do not hang together.
 */
export function findChanges(values: readonly number[], options: ChangeOptions): Change[] {
  const places = locate(values, split(values, 0, options), options.side);
  return places.map(({ index, p }, i) => {
    const before = values.slice(places[i - 1]?.index ?? 0, index);
    const after = values.slice(index, places[i + 1]?.index ?? values.length);
    return {
      index,
      p,
      before: { n: before.length, median: median(before)! },
      after: { n: after.length, median: median(after)! },
      shift: options.counts ? mean(after) - mean(before) : hodgesLehmann(before, after),
    };
  });
}

function split(values: readonly number[], offset: number, options: ChangeOptions): { index: number; p: number }[] {
  const { side, alpha, random } = options;
  const n = values.length;
  if (n < 2 * side || leastP(n) > alpha) return [];
  const { ranks, ties } = ranksOf(values);
  const scales = scalesOf(n, ties);
  const found = mostExtreme(ranks, scales, side);
  if (found.z === 0) return [];
  // So many that one hit by chance does not hide what is clear.
  const repetitions = Math.min(REPETITIONS.max, Math.max(REPETITIONS.min, Math.ceil(2 / alpha)));
  const order = Float64Array.from(ranks);
  let hits = 0;
  let tried = 0;
  while (tried < repetitions && hits < HITS) {
    shuffle(order, random);
    // Rounding must not make an equal split a lesser one.
    if (mostExtreme(order, scales, side).z >= found.z - 1e-9) hits++;
    tried++;
  }
  const p = hits === HITS ? hits / tried : (hits + 1) / (tried + 1);
  if (p > alpha) return [];
  const { k } = found;
  return [
    ...split(values.slice(0, k), offset, options),
    { index: offset + k, p },
    ...split(values.slice(k), offset + k, options),
  ];
}

/**
 * Each place moved, between its neighbours, to where the values lie nearest to the medians of their sides: the rank sum tells that there is a
 * change, and of where only about.
 */
function locate(
  values: readonly number[],
  places: readonly { index: number; p: number }[],
  side: number,
): { index: number; p: number }[] {
  const located = [...places];
  for (const [i, { p }] of places.entries()) {
    const from = located[i - 1]?.index ?? 0;
    const to = located[i + 1]?.index ?? values.length;
    let best = { index: located[i]!.index, cost: Infinity };
    for (let index = from + side; index <= to - side; index++) {
      const cost = distance(values.slice(from, index)) + distance(values.slice(index, to));
      if (cost < best.cost) best = { index, cost };
    }
    located[i] = { index: best.index, p };
  }
  return located;
}

/** Of all values from their median, summed. */
function distance(values: readonly number[]): number {
  const middle = median(values)!;
  return values.reduce((sum, value) => sum + Math.abs(value - middle), 0);
}

/** By how much each rank sum of the first k is divided, so that those of all places can be compared; 0: nothing varies. */
function scalesOf(n: number, ties: number): Float64Array {
  return Float64Array.from({ length: n }, (_, k) => {
    const variance = k === 0 ? 0 : rankSumVariance(k, n, ties);
    return variance > 0 ? 1 / Math.sqrt(variance) : 0;
  });
}

function mostExtreme(ranks: Float64Array, scales: Float64Array, side: number): { k: number; z: number } {
  const n = ranks.length;
  let sum = 0;
  let best = side;
  let most = 0;
  for (let k = 1; k <= n - side; k++) {
    sum += ranks[k - 1]!;
    if (k < side) continue;
    const z = Math.abs(sum - (k * (n + 1)) / 2) * scales[k]!;
    if (z > most) {
      most = z;
      best = k;
    }
  }
  return { k: best, z: most };
}

export function hodgesLehmann(before: readonly number[], after: readonly number[]): number {
  return median(after.flatMap((later) => before.map((earlier) => later - earlier))) ?? 0;
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
