import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SparseIndex } from './sparse-index.ts';

const distance = (before: { seq: number }, behind: { seq: number }) => behind.seq - before.seq;

describe('a sparse index', () => {
  test('gives the nearest items that it kept, in whatever order they came, and never keeps more than its bound', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 300 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 2, max: 12 }),
        (seqs, spacing, most) => {
          const index = new SparseIndex<{ seq: number }>(spacing, distance, most);
          for (const seq of seqs) index.note({ seq });
          assert.ok(index.size <= most);
          for (let seq = 0; seq <= 501; seq++) {
            const before = index.before(seq);
            const behind = index.behind(seq);
            if (before) assert.ok(before.seq <= seq && seqs.includes(before.seq));
            if (behind) assert.ok(behind.seq > seq && seqs.includes(behind.seq));
            if (before && behind) assert.ok(behind.seq - before.seq >= spacing);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('of a row without end covers the whole row, with places at equal distances', () => {
    const index = new SparseIndex<{ seq: number }>(10, distance, 64);
    for (let seq = 1; seq <= 100_000; seq++) index.note({ seq });
    assert.ok(index.size > 32 && index.size <= 64, `${index.size} items`);
    for (let seq = 1; seq <= 100_000; seq += 997) {
      const near = index.before(seq);
      assert.ok(near && seq - near.seq < 2 * (100_000 / 32), `${seq}: ${near?.seq}`);
    }
  });
});
