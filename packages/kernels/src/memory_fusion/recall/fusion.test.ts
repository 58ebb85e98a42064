import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { KINDS } from '../store/memory.ts';
import { FUSION, fuse } from './fusion.ts';

const rank = fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined });
const candidate = fc.record({
  textRank: rank,
  vectorRank: rank,
  kind: fc.constantFrom(...KINDS),
  trust: fc.double({ min: 0, max: 1, noNaN: true }),
  ageMs: fc.integer({ min: -1e6, max: 1e12 }),
});

describe('fusion', () => {
  test('the score is what its parts say', () => {
    fc.assert(
      fc.property(candidate, (given) => {
        const { score, parts } = fuse(given);
        assert.ok(Math.abs(score - (parts.text + parts.vector) * parts.recency * parts.trust) < 1e-12);
        assert.ok(score >= 0 && score <= (1 + FUSION.recencyWeight) * (1 + FUSION.trustWeight) + 1e-9);
      }),
    );
  });
  test('a better place, more trust or less age never lowers the score', () => {
    fc.assert(
      fc.property(candidate, (given) => {
        const { score } = fuse(given);
        if (given.textRank !== undefined && given.textRank > 1) {
          assert.ok(fuse({ ...given, textRank: given.textRank - 1 }).score > score);
        }
        assert.ok(fuse({ ...given, trust: 1 }).score >= score);
        assert.ok(fuse({ ...given, ageMs: 0 }).score >= score - 1e-12);
      }),
    );
  });
  test('found by both rankings beats found by one at the same place', () => {
    const given = { kind: 'fact' as const, trust: 0.5, ageMs: 0 };
    const both = fuse({ ...given, textRank: 3, vectorRank: 3 }).score;
    assert.ok(both > fuse({ ...given, textRank: 3, vectorRank: undefined }).score);
    assert.ok(both > fuse({ ...given, textRank: undefined, vectorRank: 3 }).score);
  });
  test('an event loses its recency sooner than a document', () => {
    const month = { textRank: 1, vectorRank: 1, trust: 0.5, ageMs: 30 * 86_400_000 };
    assert.ok(fuse({ ...month, kind: 'event' }).parts.recency < fuse({ ...month, kind: 'document' }).parts.recency);
  });
});
