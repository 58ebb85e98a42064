import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createStore, type KernelStore } from '@grace/kernel-sdk';
import { FUSION, type FusionWeights } from './recall/fusion.ts';
import { recall, type Sources } from './recall/recall.ts';
import { openMemories } from './store/memories.ts';
import { KINDS, memoryId } from './store/memory.ts';
import { createVectorCache } from './store/vector-cache.ts';
import { hashedEmbedder } from './words/embedder.ts';

interface JudgedSet {
  documents: Record<string, string>;
  queries: { query: string; judged: Record<string, number> }[];
}

const set = JSON.parse(readFileSync(new URL('./fixtures/judged-set.json', import.meta.url), 'utf8')) as JudgedSet;
const NOW = 1_800_000_000_000;

/** Normalised discounted cumulative gain of the first ten (Jarvelin and Kekalainen 2002), gain 2^grade - 1. */
function ndcg10(ranked: string[], judged: Record<string, number>): number {
  const gain = (grades: number[]): number =>
    grades.slice(0, 10).reduce((sum, grade, i) => sum + (2 ** grade - 1) / Math.log2(i + 2), 0);
  const ideal = gain(Object.values(judged).sort((a, b) => b - a));
  return gain(ranked.map((id) => judged[id] ?? 0)) / ideal;
}

describe('retrieval on the judged set', () => {
  const folder = mkdtempSync(join(tmpdir(), 'grace-judged-'));
  let store: KernelStore;
  let sources: Sources;
  before(() => {
    store = createStore(folder);
    const embedder = hashedEmbedder(512);
    const cache = createVectorCache(store.db, embedder, 64 * 1024 ** 2);
    const memories = openMemories(store, embedder, cache);
    sources = { db: store.db, memories, cache, embedder };
    const given = { kind: true, trust: true, tags: true, atMs: true };
    memories.remember(
      Object.entries(set.documents).map(([source, text]) => ({
        ...{ id: memoryId('judged', source, text), namespace: 'judged', kind: 'document' as const, source, text },
        ...{ trust: 0.5, tags: [], atMs: NOW, given },
      })),
    );
  });
  after(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const mean = async (weights: FusionWeights, take: (i: number) => boolean): Promise<number> => {
    const scores: number[] = [];
    for (const { query, judged } of set.queries.filter((_, i) => take(i))) {
      const found = await recall(sources, { query, namespace: 'judged', limit: 10, kinds: KINDS }, NOW, weights);
      const ranked = found.filter(({ score }) => score > 0).map(({ source }) => source);
      scores.push(ndcg10(ranked, judged));
    }
    return scores.reduce((sum, score) => sum + score, 0) / scores.length;
  };

  test('the set is large enough to say something, and every judgement names a document', () => {
    assert.ok(Object.keys(set.documents).length >= 40);
    assert.ok(set.queries.length >= 25);
    for (const { query, judged } of set.queries) {
      assert.ok(Object.values(judged).includes(2), query);
      for (const id of Object.keys(judged)) assert.ok(Object.hasOwn(set.documents, id), `${query}: ${id}`);
    }
  });

  test('fused ranking is at least as good as full text alone and as vectors alone', async (t) => {
    const arms = {
      fused: FUSION,
      text: { ...FUSION, vectorWeight: 0 },
      vector: { ...FUSION, textWeight: 0 },
    };
    const slices = { all: () => true, odd: (i: number) => i % 2 === 1, 'even, held out': (i: number) => i % 2 === 0 };
    const table: Record<string, Record<string, number>> = {};
    for (const [slice, take] of Object.entries(slices)) {
      const row: Record<string, number> = {};
      for (const [arm, weights] of Object.entries(arms)) row[arm] = await mean(weights, take);
      table[slice] = row;
    }
    for (const [slice, row] of Object.entries(table)) {
      const shown = Object.entries(row).map(([arm, value]) => `${arm} ${value.toFixed(4)}`);
      t.diagnostic(`nDCG@10 (${slice}): ${shown.join(', ')}`);
    }
    const { fused, text, vector } = table['all']!;
    assert.ok(fused! >= Math.max(text!, vector!), JSON.stringify(table));
  });
});
