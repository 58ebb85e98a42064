import type { Kind } from '../store/memory.ts';

/** Rank constant and weights; chosen on the odd queries of the judged set, see retrieval.test.ts. */
export const FUSION = {
  /** k of reciprocal rank fusion (Cormack, Clarke, Buettcher 2009): how little the first places differ. */
  rankConstant: 10,
  textWeight: 1,
  /** Half: the vectors are lexical too, and see rare words less clearly than BM25 does. */
  vectorWeight: 0.5,
  /** A memory of this moment counts this much more than one without age left. */
  recencyWeight: 0.1,
  /** A memory of trust 1 counts this much more than one of trust 0.5, one of trust 0 this much less. */
  trustWeight: 0.2,
} as const;

const DAY = 86_400_000;
/** An event matters for days, a fact for months, a document for a year: after so long half of the recency is left. */
const HALF_LIFE_MS: Readonly<Record<Kind, number>> = { event: 7 * DAY, fact: 90 * DAY, document: 365 * DAY };

export interface Candidate {
  /** Place in the text ranking, 1 = best; undefined when it is not among them. */
  textRank: number | undefined;
  vectorRank: number | undefined;
  kind: Kind;
  trust: number;
  ageMs: number;
}

/** `score = (text + vector) * recency * trust`. */
export interface Parts {
  text: number;
  vector: number;
  recency: number;
  trust: number;
}

export interface FusionWeights {
  rankConstant: number;
  textWeight: number;
  vectorWeight: number;
  recencyWeight: number;
  trustWeight: number;
}

/** Scaled so that the first place in both rankings, with neither recency nor trust counted, is 1. */
export function fuse(candidate: Candidate, weights: FusionWeights = FUSION): { score: number; parts: Parts } {
  const { rankConstant, textWeight, vectorWeight } = weights;
  const scale = (rankConstant + 1) / (textWeight + vectorWeight);
  const place = (rank: number | undefined, weight: number): number =>
    rank === undefined ? 0 : (scale * weight) / (rankConstant + rank);
  const recency = 1 + weights.recencyWeight * 0.5 ** (Math.max(0, candidate.ageMs) / HALF_LIFE_MS[candidate.kind]);
  const trust = 1 + weights.trustWeight * 2 * (candidate.trust - 0.5);
  const parts = {
    text: place(candidate.textRank, textWeight),
    vector: place(candidate.vectorRank, vectorWeight),
    recency,
    trust,
  };
  return { score: (parts.text + parts.vector) * recency * trust, parts };
}
