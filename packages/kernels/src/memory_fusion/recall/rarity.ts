import type { DatabaseSync } from 'node:sqlite';
import { contentWords } from '../words/words.ts';

/** Memories that are scored at most, about 2 us each, unless one word alone leads to more; and how far a word's memories are counted. */
export const SCORED = 3000;
const MAX_TERMS = 32;

/** The content words of a question, and in how many memories of all namespaces each stands (counted up to `SCORED` + 1). */
export interface Rarity {
  terms: readonly string[];
  counts: ReadonlyMap<string, number>;
  /** How much a word says, as in BM25 (Robertson and Sparck Jones 1976): the rarer the more. */
  weightOf(word: string): number;
}

export function rarityOf(db: DatabaseSync, query: string): Rarity {
  const terms = [...new Set(contentWords(query))].slice(0, MAX_TERMS);
  const count = db.prepare('SELECT count(*) AS n FROM (SELECT 1 FROM memory_words WHERE memory_words MATCH ? LIMIT ?)');
  const counts = new Map(terms.map((term) => [term, (count.get(`"${term}"`, SCORED + 1) as { n: number }).n]));
  // The last row number, not a count of rows: it is there at once, and only its order of magnitude matters.
  const { all } = db.prepare('SELECT coalesce(max(rowid), 0) AS "all" FROM memory').get() as { all: number };
  return {
    terms,
    counts,
    weightOf: (word) => Math.log(1 + (all + 1) / ((counts.get(word) ?? 0) + 0.5)),
  };
}
