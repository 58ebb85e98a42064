import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createCover } from './cover.ts';
import { covers, isPattern, isSubject, matches } from './pattern.ts';
import { createTrie } from './trie.ts';

const token = fc.constantFrom('a', 'b', 'c');
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 0, maxLength: 3 }), fc.constantFrom('a', '*', '>'))
  .map(([tokens, last]) => [...tokens, last].join('.'));

/** Every subject of up to five tokens over the alphabet and one foreign token. */
const universe: string[] = [];
for (let level = ['a', 'b', 'c', 'z'], depth = 1; depth <= 5; depth++) {
  universe.push(...level);
  level = level.flatMap((head) => ['a', 'b', 'c', 'z'].map((tail) => `${head}.${tail}`));
}

describe('patterns', () => {
  test('a pattern covers another exactly when it matches everything the other matches', () => {
    fc.assert(
      fc.property(pattern, pattern, (wide, narrow) => {
        const truth = universe.every((one) => !matches(narrow, one) || matches(wide, one));
        assert.equal(covers(wide, narrow), truth, `${wide} over ${narrow}`);
      }),
      { numRuns: 300 },
    );
  });

  test('> needs at least one token, * exactly one', () => {
    assert.equal(matches('a.>', 'a'), false);
    assert.equal(matches('a.>', 'a.b.c'), true);
    assert.equal(matches('a.*', 'a.b.c'), false);
    assert.equal(matches('*.b', 'a.b'), true);
  });

  test('what is no subject or pattern is known', () => {
    for (const bad of ['', '.', 'a..b', 'a.', 'a b', 'a.>.b', `a.${'x'.repeat(300)}`]) {
      assert.equal(isPattern(bad), false, bad);
    }
    assert.equal(isPattern('a.*.>'), true);
    assert.equal(isSubject('a.*'), false);
  });
});

describe('trie', () => {
  test('finds exactly the entries a linear search finds', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 30 }), fc.array(fc.nat(29)), subject, (patterns, gone, one) => {
        const trie = createTrie<number>();
        for (const [i, p] of patterns.entries()) trie.add(p, i);
        const left = patterns.map((_, i) => i).filter((i) => !gone.includes(i));
        for (const i of gone) if (patterns[i]) trie.remove(patterns[i], i);
        assert.deepEqual(
          [...trie.match(one)].sort((a, b) => a - b),
          left.filter((i) => matches(patterns[i]!, one)),
        );
        assert.equal(trie.size, left.length);
      }),
    );
  });

  test('given a pattern, finds the wider and the narrower ones', () => {
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { maxLength: 30 }), pattern, (patterns, one) => {
        const trie = createTrie<string>();
        for (const p of patterns) trie.add(p, p);
        assert.deepEqual([...trie.match(one)].sort(), patterns.filter((p) => covers(p, one)).sort());
        assert.deepEqual([...trie.within(one)].sort(), patterns.filter((p) => covers(one, p)).sort());
      }),
    );
  });
});

describe('cover', () => {
  test('is at any time the fewest patterns that cover all in use, and its changes add up', () => {
    const step = fc.record({ use: fc.boolean(), pattern });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const cover = createCover();
        const inUse: string[] = [];
        const subscribed = new Set<string>();
        for (const { use, pattern: one } of steps) {
          const at = inUse.indexOf(one);
          if (use) inUse.push(one);
          else if (at >= 0) inUse.splice(at, 1);
          const { add, drop } = use ? cover.use(one) : cover.release(one);
          for (const p of drop) assert.ok(subscribed.delete(p), `${p} dropped but not subscribed`);
          for (const p of add) {
            assert.ok(!subscribed.has(p), `${p} subscribed twice`);
            subscribed.add(p);
          }
          const distinct = [...new Set(inUse)];
          const fewest = distinct.filter((p) => !distinct.some((other) => other !== p && covers(other, p)));
          assert.deepEqual([...subscribed].sort(), fewest.sort());
          assert.deepEqual(cover.patterns().sort(), fewest);
        }
      }),
    );
  });

  test('releasing a pattern nobody uses changes nothing', () => {
    assert.deepEqual(createCover().release('a.b'), { add: [], drop: [] });
  });
});
