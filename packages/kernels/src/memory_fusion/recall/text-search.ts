import type { DatabaseSync } from 'node:sqlite';
import { contentWords } from '../words/words.ts';

export interface TextHit {
  rowid: number;
  /** BM25, larger is better. */
  relevance: number;
}

const MAX_TERMS = 32;

/** Any of the query's content words, best BM25 first; a match in a tag counts half. Porter stemming is SQLite's. */
export function searchText(
  db: DatabaseSync,
  namespace: string,
  query: string,
  kinds: readonly string[],
  limit: number,
): TextHit[] {
  const terms = [...new Set(contentWords(query))].slice(0, MAX_TERMS);
  if (terms.length === 0) return [];
  // Terms are letters and digits alone, so quoting them leaves no room for FTS5 syntax.
  const match = terms.map((term) => `"${term}"`).join(' OR ');
  return db
    .prepare(
      `SELECT m.rowid AS rowid, -bm25(memory_words, 1.0, 0.5) AS relevance
       FROM memory_words JOIN memory m ON m.rowid = memory_words.rowid
       WHERE memory_words MATCH ? AND m.namespace = ? AND m.kind IN (SELECT value FROM json_each(?))
       ORDER BY relevance DESC, m.rowid LIMIT ?`,
    )
    .all(match, namespace, JSON.stringify(kinds), limit) as unknown as TextHit[];
}
