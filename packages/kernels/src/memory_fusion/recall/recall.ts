import type { DatabaseSync } from 'node:sqlite';
import type { Memories, MemoryLink } from '../store/memories.ts';
import type { Kind, Memory } from '../store/memory.ts';
import type { VectorCache } from '../store/vector-cache.ts';
import type { Embedder } from '../words/embedder.ts';
import { FUSION, type FusionWeights, fuse, type Parts } from './fusion.ts';
import { searchText } from './text-search.ts';

export interface Question {
  query: string;
  namespace: string;
  limit: number;
  kinds: readonly Kind[];
}

export interface Recalled extends Omit<Memory, 'namespace'> {
  score: number;
  parts: Parts;
  links: MemoryLink[];
}

/** How deep each ranking is read before they are fused. */
const DEPTH = 100;
/** Unrelated texts come near 0 with a spread of about 1/sqrt(dimension); what is not clearly above that is no hit. */
const noise = (dimension: number): number => 2 / Math.sqrt(dimension);

export interface Sources {
  db: DatabaseSync;
  memories: Memories;
  cache: VectorCache;
  embedder: Embedder;
}

/** The memories nearest to a question, best first. */
export async function recall(
  sources: Sources,
  question: Question,
  nowMs: number,
  weights: FusionWeights = FUSION,
): Promise<Recalled[]> {
  const { db, memories, cache, embedder } = sources;
  const { query, namespace, kinds, limit } = question;
  const depth = Math.max(DEPTH, limit);
  const near = await cache.search(namespace, embedder.embed(query), kinds, depth, noise(embedder.dimension));
  const vectorRanks = new Map(near.map(({ rowid }, i) => [rowid, i + 1]));
  const textRanks = new Map(searchText(db, namespace, query, kinds, depth).map(({ rowid }, i) => [rowid, i + 1]));
  const fused = [];
  for (const rowid of new Set([...textRanks.keys(), ...vectorRanks.keys()])) {
    const memory = memories.read(rowid);
    if (!memory) continue;
    const { kind, trust, atMs } = memory;
    const ranks = { textRank: textRanks.get(rowid), vectorRank: vectorRanks.get(rowid) };
    fused.push({ rowid, memory, ...fuse({ ...ranks, kind, trust, ageMs: nowMs - atMs }, weights) });
  }
  fused.sort((a, b) => b.score - a.score || a.rowid - b.rowid);
  return fused.slice(0, limit).map(({ rowid, memory, score, parts }) => {
    const { namespace: _, ...shown } = memory;
    return { ...shown, score, parts, links: memories.links(rowid) };
  });
}
