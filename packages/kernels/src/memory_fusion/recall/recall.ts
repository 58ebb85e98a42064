import type { DatabaseSync } from 'node:sqlite';
import type { Backlog } from '../model/backlog.ts';
import { type Model, NoVector } from '../model/model.ts';
import type { Memories, MemoryLink } from '../store/memories.ts';
import type { Kind, Memory } from '../store/memory.ts';
import type { VectorHit } from '../store/vector-block.ts';
import type { VectorCache } from '../store/vector-cache.ts';
import type { Embedder } from '../words/embedder.ts';
import { FUSION, type FusionWeights, fuse, type Parts } from './fusion.ts';
import { type Rarity, rarityOf } from './rarity.ts';
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
  /** Whose vectors ranked it, and why not those of the endpoint where one is configured. */
  method: { vectors: string; fallback?: string };
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
  /** The endpoint, where one is configured. */
  model?: { model: Model; backlog: Pick<Backlog, 'waitsIn'>; cache: VectorCache };
}

/** The memories nearest to a question, best first. */
export async function recall(
  sources: Sources,
  question: Question,
  nowMs: number,
  weights: FusionWeights = FUSION,
): Promise<Recalled[]> {
  const { db, memories } = sources;
  const { query, namespace, kinds, limit } = question;
  const depth = Math.max(DEPTH, limit);
  const rarity = rarityOf(db, query);
  const { ranks: vectorRanks, method } = await rankVectors(sources, question, rarity, depth);
  const textRanks = new Map(searchText(db, namespace, rarity, kinds, depth).map(({ rowid }, i) => [rowid, i + 1]));
  const fused = [];
  for (const rowid of new Set([...textRanks.keys(), ...vectorRanks.keys()])) {
    const about = memories.ranked(rowid);
    if (!about) continue;
    const { kind, trust, atMs } = about;
    const ranks = { textRank: textRanks.get(rowid), vectorRank: vectorRanks.get(rowid) };
    fused.push({ rowid, ...fuse({ ...ranks, kind, trust, ageMs: nowMs - atMs }, weights) });
  }
  fused.sort((a, b) => b.score - a.score || a.rowid - b.rowid);
  return fused.slice(0, limit).map(({ rowid, score, parts }) => {
    const { namespace: _, ...shown } = memories.read(rowid)!;
    return { ...shown, score, parts, method, links: memories.links(rowid) };
  });
}

interface Ranked {
  ranks: Map<number, number>;
  method: Recalled['method'];
}

/** By the endpoint's vectors; by the built-in ones where it did not answer, and for memories that it has not seen yet. */
async function rankVectors(sources: Sources, question: Question, rarity: Rarity, depth: number): Promise<Ranked> {
  const { cache, embedder, model } = sources;
  const { query, namespace, kinds } = question;
  const builtIn = async (): Promise<Map<number, number>> =>
    placesOf(
      await cache.search(namespace, embedder.embed(query, rarity.weightOf), kinds, depth, noise(embedder.dimension)),
    );
  // The scratch of functional probes is not worth a request.
  if (!model || namespace.startsWith('probe/')) return { ranks: await builtIn(), method: { vectors: embedder.id } };
  try {
    const vector = await model.model.query(query);
    const { minSimilarity } = model.model.settings;
    const ranks = placesOf(await model.cache.search(namespace, vector, kinds, depth, minSimilarity));
    if (model.backlog.waitsIn(namespace)) {
      for (const [rowid, place] of await builtIn()) if (!ranks.has(rowid)) ranks.set(rowid, place);
    }
    return { ranks, method: { vectors: model.model.id } };
  } catch (error) {
    if (!(error instanceof NoVector)) throw error;
    return { ranks: await builtIn(), method: { vectors: embedder.id, fallback: error.message } };
  }
}

const placesOf = (hits: readonly VectorHit[]): Map<number, number> =>
  new Map(hits.map(({ rowid }, i) => [rowid, i + 1]));
