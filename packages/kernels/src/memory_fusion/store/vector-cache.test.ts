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
import { openTables } from './open.ts';
import { createRemoval } from './removal.ts';
import { createBlock } from './vector-block.ts';
import { createVectorCache } from './vector-cache.ts';
import { decodeVector, encodeVector } from './vector-code.ts';

const embedder = hashedEmbedder(64);
const shelf = { table: 'memory_vector', dimension: 64 } as const;

function open(boundBytes: number) {
  const folder = mkdtempSync(join(tmpdir(), 'grace-vectors-'));
  const store = createStore(folder);
  openTables(store);
  const cache = createVectorCache(store.db, shelf, boundBytes);
  const removal = createRemoval(store, [cache]);
  const memories = openMemories(store, embedder, [cache], removal);
  const forget = async (...texts: string[]): Promise<void> => {
    removal.leave('text IN (SELECT value FROM json_each(?))', [JSON.stringify(texts)]);
    await removal.finish();
  };
  const end = (): void => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { store, cache, memories, forget, end };
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
        const { store, cache, memories, forget, end } = open(1024 ** 2);
        try {
          for (const step of changes) {
            if ('add' in step) memories.remember([memory('n', step.add, step.kind)]);
            else if ('remove' in step) await forget(step.remove);
            else {
              const query = embedder.embed(step.search);
              const order = (hits: { rowid: number; similarity: number }[]): string[] =>
                hits.map(({ rowid, similarity }) => `${similarity.toFixed(5)} ${rowid}`).sort();
              const cold = createVectorCache(store.db, shelf, 0);
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
    const { cache, memories, end } = open(64 * 64 * 2 + 64 * 13 * 2);
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
    const { cache, memories, forget, end } = open(64 * 1024 ** 2);
    try {
      memories.remember(Array.from({ length: 2500 }, (_, i) => memory('n', `kernel number ${i}`)));
      const reading = cache.search('n', embedder.embed('kernel'), KINDS, 5000, 0.01);
      memories.remember([memory('n', 'kernel added')]);
      await forget('kernel number 3', 'kernel number 2499');
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

  test('of a vector in bytes the cosine is less than 0.01 off, whatever the vector', () => {
    const dimension = 32;
    const numbers = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
      minLength: dimension,
      maxLength: dimension,
    });
    const unit = (values: readonly number[]): Float32Array => {
      const length = Math.hypot(...values) || 1;
      return Float32Array.from(values, (value) => value / length);
    };
    fc.assert(
      fc.property(numbers, numbers, (one, other) => {
        const [a, b] = [unit(one), unit(other)];
        const { scale, codes } = decodeVector(encodeVector(a), dimension)!;
        const exact = a.reduce((sum, value, i) => sum + value * b[i]!, 0);
        const coded = codes.reduce((sum, value, i) => sum + value * scale * b[i]!, 0);
        assert.ok(Math.abs(exact - coded) < 0.02, `${exact} and ${coded}`);
        assert.equal(decodeVector(encodeVector(a), dimension + 1), undefined);
      }),
    );
  });

  test('a block answers as a plain search does while it grows from one tile to the next and shrinks', () => {
    const block = createBlock(16, 0);
    const held = new Map<number, Float32Array>();
    const vectorOf = (n: number): Float32Array => {
      const values = Float32Array.from({ length: 16 }, (_, i) => Math.sin(n * 31 + i * i));
      const length = Math.hypot(...values);
      return values.map((value) => value / length);
    };
    const check = (): void => {
      const query = vectorOf(5000);
      const expected = [...held]
        .map(([rowid, vector]) => ({ rowid, similarity: vector.reduce((sum, value, i) => sum + value * query[i]!, 0) }))
        .sort((a, b) => b.similarity - a.similarity);
      const hits = block.search(query, KINDS, 10, -1);
      assert.equal(hits.length, Math.min(10, held.size));
      for (const [i, { similarity }] of hits.entries())
        assert.ok(Math.abs(similarity - expected[i]!.similarity) < 0.02);
      assert.equal(block.count, held.size);
    };
    for (let n = 1; n <= 2200; n++) {
      held.set(n, vectorOf(n));
      block.append(n, 'fact', decodeVector(encodeVector(held.get(n)!), 16)!);
      if ([1, 64, 65, 1024, 1025, 2200].includes(n)) check();
    }
    for (let n = 1; n <= 2200; n += 2) {
      held.delete(n);
      block.remove(n);
    }
    check();
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
