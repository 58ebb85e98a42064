import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createStore } from '@grace/kernel-sdk';
import fc from 'fast-check';
import { hashedEmbedder } from '../words/embedder.ts';
import { openMemories, type Remembered } from './memories.ts';
import { KINDS, type Kind, memoryId } from './memory.ts';
import { createVectorCache } from './vector-cache.ts';

const embedder = hashedEmbedder(64);

function open(boundBytes: number) {
  const folder = mkdtempSync(join(tmpdir(), 'grace-vectors-'));
  const store = createStore(folder);
  const cache = createVectorCache(store.db, embedder, boundBytes);
  const memories = openMemories(store, embedder, cache);
  const end = (): void => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { store, cache, memories, end };
}

function memory(namespace: string, text: string, kind: Kind = 'fact'): Remembered {
  const given = { kind: true, trust: false, tags: false, atMs: false };
  const id = memoryId(namespace, '', text);
  return { id, namespace, kind, source: '', text, trust: 0.5, tags: [], atMs: 1, given };
}

describe('the vectors in memory', () => {
  test('answer exactly as those on disk, through any sequence of changes', async () => {
    const word = fc.stringMatching(/^[a-f]{3}$/);
    const change = fc.oneof(
      fc.record({ add: word, kind: fc.constantFrom(...KINDS) }),
      fc.record({ remove: word }),
      fc.record({ search: word, kinds: fc.subarray([...KINDS], { minLength: 1 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
        const { store, cache, memories, end } = open(1024 ** 2);
        try {
          for (const step of changes) {
            if ('add' in step) memories.remember([memory('n', step.add, step.kind)]);
            else if ('remove' in step) await memories.removeWhere('text = ?', [step.remove]);
            else {
              const query = embedder.embed(step.search);
              const order = (hits: { rowid: number; similarity: number }[]): string[] =>
                hits.map(({ rowid, similarity }) => `${similarity.toFixed(5)} ${rowid}`).sort();
              const cold = createVectorCache(store.db, embedder, 0);
              const expected = await cold.search('n', query, step.kinds, 100, 0.1);
              assert.deepEqual(order(await cache.search('n', query, step.kinds, 100, 0.1)), order(expected));
            }
          }
        } finally {
          end();
        }
      }),
      { numRuns: 15 },
    );
  });

  test('stay within their bound: the namespace searched longest ago goes first, a too large one is read from disk', async () => {
    const { cache, memories, end } = open(64 * 64 * 4 * 2);
    try {
      for (const name of ['a', 'b', 'c']) memories.remember([memory(name, `kernel ${name}`)]);
      memories.remember(Array.from({ length: 200 }, (_, i) => memory('large', `kernel number ${i}`)));
      const query = embedder.embed('kernel');
      for (const name of ['a', 'b', 'c', 'large', 'a']) {
        assert.ok((await cache.search(name, query, KINDS, 5, 0.1)).length > 0, name);
        const { bytes, boundBytes } = cache.stats();
        assert.ok(bytes <= boundBytes, `${bytes} bytes after ${name}`);
      }
      assert.equal(cache.stats().namespaces, 2);
    } finally {
      end();
    }
  });

  test('that change while a large namespace is read are found as they are afterwards', async () => {
    const { cache, memories, end } = open(64 * 1024 ** 2);
    try {
      memories.remember(Array.from({ length: 2500 }, (_, i) => memory('n', `kernel number ${i}`)));
      const reading = cache.search('n', embedder.embed('kernel'), KINDS, 5000, 0.01);
      memories.remember([memory('n', 'kernel added')]);
      await memories.removeWhere('text IN (?, ?)', ['kernel number 3', 'kernel number 2499']);
      await reading;
      const hits = await cache.search('n', embedder.embed('kernel'), KINDS, 5000, 0.01);
      const texts = new Set(hits.map(({ rowid }) => memories.read(rowid)?.text));
      assert.equal(hits.length, 2499);
      assert.equal(texts.size, 2499);
      assert.ok(texts.has('kernel added') && !texts.has('kernel number 3') && !texts.has(undefined));
    } finally {
      end();
    }
  });

  test('hits come nearest first', async () => {
    const { cache, memories, end } = open(1024 ** 2);
    try {
      memories.remember(['restart a kernel', 'restart', 'a kernel is up', 'tea'].map((text) => memory('n', text)));
      const hits = await cache.search('n', embedder.embed('restart'), KINDS, 3, 0.05);
      assert.deepEqual(
        hits.map(({ similarity }) => similarity),
        hits.map(({ similarity }) => similarity).sort((a, b) => b - a),
      );
      assert.equal(memories.read(hits[0]!.rowid)?.text, 'restart');
    } finally {
      end();
    }
  });
});
