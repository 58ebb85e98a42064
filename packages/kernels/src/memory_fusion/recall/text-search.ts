import type { DatabaseSync } from 'node:sqlite';
import { type Rarity, SCORED } from './rarity.ts';

export interface TextHit {
  rowid: number;
  /** BM25, larger is better. */
  relevance: number;
}

/** Any of the query's content words, best BM25 first; a match in a tag counts half. Porter stemming is SQLite's. */
export function searchText(
  db: DatabaseSync,
  namespace: string,
  rarity: Rarity,
  kinds: readonly string[],
  limit: number,
): TextHit[] {
  if (rarity.terms.length === 0) return [];
  return db
    .prepare(
      `SELECT m.rowid AS rowid, -bm25(memory_words, 1.0, 0.5) AS relevance
       FROM memory_words JOIN memory m ON m.rowid = memory_words.rowid
       WHERE memory_words MATCH ? AND m.namespace = ? AND m.kind IN (SELECT value FROM json_each(?))
       ORDER BY relevance DESC, m.rowid LIMIT ?`,
    )
    .all(expression(db, namespace, rarity), namespace, JSON.stringify(kinds), limit) as unknown as TextHit[];
}

/** Terms are letters and digits alone, so quoting them leaves no room for FTS5 syntax. */
const anyOf = (terms: readonly string[]): string => terms.map((term) => `"${term}"`).join(' OR ');

/**
 * In a large namespace the rare words say who is looked at, and all words say how they rank: what holds none of the rare ones would rank
 * below. In a small namespace everything is looked at.
 */
function expression(db: DatabaseSync, namespace: string, { terms, counts }: Rarity): string {
  const size = db.prepare('SELECT count(*) AS n FROM (SELECT 1 FROM memory WHERE namespace = ? LIMIT ?)');
  if ((size.get(namespace, SCORED + 1) as { n: number }).n <= SCORED) return anyOf(terms);
  const rarest = [...terms].sort((a, b) => counts.get(a)! - counts.get(b)!);
  let scored = 0;
  const taken = rarest.findIndex((term) => {
    const before = scored;
    scored += counts.get(term)!;
    return before > 0 && scored > SCORED;
  });
  if (taken < 0) return anyOf(terms);
  const [rare, common] = [rarest.slice(0, taken), rarest.slice(taken)];
  // BM25 counts a word as often as it stands here: each of them twice.
  return `(${anyOf(rare)}) AND (${anyOf([...rare, ...common, ...common])})`;
}
