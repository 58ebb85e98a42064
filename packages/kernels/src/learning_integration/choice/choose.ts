import { type Beta, mean } from './beta.ts';
import { drawBeta, seededRandom } from './random.ts';

export interface Candidate extends Beta {
  playbook: string;
}

export interface Draw {
  playbook: string;
  /** True: not the one with the best mean, so something is learned by it. */
  explored: boolean;
  /** What was drawn for each candidate, in the order given. */
  draws: number[];
}

/**
 * Thompson sampling (Thompson 1933): draws a chance from each posterior and takes the highest, so that each candidate is tried as often as
 * it is likely to be the best. Pure: the same candidates and seed give the same answer, in whatever order they stand.
 */
export function choose(candidates: readonly Candidate[], seed: number): Draw {
  const random = seededRandom(seed);
  const sorted = [...candidates].sort((a, b) => (a.playbook < b.playbook ? -1 : 1));
  const drawn = new Map(sorted.map(({ playbook, alpha, beta }) => [playbook, drawBeta(random, alpha, beta)]));
  const best = sorted.reduce((a, b) => (drawn.get(b.playbook)! > drawn.get(a.playbook)! ? b : a));
  const bestMean = Math.max(...sorted.map(mean));
  return {
    playbook: best.playbook,
    explored: mean(best) < bestMean,
    draws: candidates.map(({ playbook }) => drawn.get(playbook)!),
  };
}
