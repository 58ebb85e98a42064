import { readFileSync } from 'node:fs';
import { createStore } from '@grace/kernel-sdk';
import { FUSION, type FusionWeights } from '../recall/fusion.ts';
import { recall } from '../recall/recall.ts';
import { openMemories } from '../store/memories.ts';
import { KINDS, memoryId } from '../store/memory.ts';
import { openTables } from '../store/open.ts';
import { createRemoval } from '../store/removal.ts';
import { createVectorCache } from '../store/vector-cache.ts';
import { hashedEmbedder } from '../words/embedder.ts';

export interface JudgedQuery {
  kind: 'keyword' | 'paraphrase' | 'misspelt' | 'inflected';
  half: 'tuning' | 'held_out';
  query: string;
  judged: Record<string, number>;
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
export const { documents } = read('./documents.json') as { documents: Record<string, string> };
export const { queries } = read('./queries.json') as { queries: JudgedQuery[] };

const NOW = 1_800_000_000_000;

/** The three ways to rank that are compared: the same search with a weight of nothing for the other. */
export const ARMS: Readonly<Record<'fused' | 'text' | 'vectors', FusionWeights>> = {
  fused: FUSION,
  text: { ...FUSION, vectorWeight: 0 },
  vectors: { ...FUSION, textWeight: 0 },
};

/** Normalised discounted cumulative gain of the first ten (Jarvelin and Kekalainen 2002), gain 2^grade - 1. */
function ndcg10(ranked: readonly string[], judged: Record<string, number>): number {
  const gain = (grades: readonly number[]): number =>
    grades.slice(0, 10).reduce((sum, grade, i) => sum + (2 ** grade - 1) / Math.log2(i + 2), 0);
  return gain(ranked.map((id) => judged[id] ?? 0)) / gain(Object.values(judged).sort((a, b) => b - a));
}

/** Keeps the documents in a store in this folder; what it returns gives the nDCG@10 of each query with these weights. */
export function openJudged(folder: string) {
  const store = createStore(folder);
  openTables(store);
  const embedder = hashedEmbedder(512);
  const cache = createVectorCache(store.db, { table: 'memory_vector', dimension: 512 }, 64 * 1024 ** 2);
  const memories = openMemories(store, embedder, [cache], createRemoval(store, [cache]));
  const given = { kind: true, trust: true, tags: true, atMs: true };
  memories.remember(
    Object.entries(documents).map(([source, text]) => ({
      ...{ id: memoryId('judged', source, text), namespace: 'judged', kind: 'document' as const, source, text },
      ...{ trust: 0.5, tags: [], atMs: NOW, given },
    })),
  );
  return {
    async score({ query, judged }: JudgedQuery, weights: FusionWeights): Promise<number> {
      const question = { query, namespace: 'judged', limit: 10, kinds: KINDS };
      const found = await recall({ db: store.db, memories, cache, embedder }, question, NOW, weights);
      return ndcg10(
        found.filter(({ score }) => score > 0).map(({ source }) => source),
        judged,
      );
    },
    close: store.close,
  };
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
