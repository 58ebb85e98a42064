import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPattern, isSubject } from './subject.ts';
import { SubjectTrie } from './trie.ts';

/** Few tokens, so that patterns and subjects meet. */
const token = fc.constantFrom('a', 'b', 'c');
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { maxLength: 4 }), fc.boolean())
  .map(([tokens, rest]) => [...tokens, ...(rest || tokens.length === 0 ? ['>'] : [])].join('.'));

/** The rule itself, said in the plainest way. */
function matches(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split('.'), subject.split('.')];
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return given.length > i;
    if (i >= given.length || (wanted[i] !== '*' && wanted[i] !== given[i])) return false;
  }
  return wanted.length === given.length;
}

/** Every subject up to five tokens of a, b, c and one that stands in no pattern. */
const world: string[] = [];
for (let level = [''], depth = 0; depth < 5; depth++) {
  level = level.flatMap((head) => ['a', 'b', 'c', 'z'].map((tail) => (head === '' ? tail : `${head}.${tail}`)));
  world.push(...level);
}

function trieOf(patterns: readonly string[]): SubjectTrie<string> {
  const trie = new SubjectTrie<string>();
  for (const one of patterns) trie.add(one, one);
  return trie;
}

test('the trie finds exactly the patterns that match, also after some were removed', () => {
  fc.assert(
    fc.property(fc.array(pattern), fc.array(pattern), subject, (kept, removed, asked) => {
      const trie = trieOf([...kept, ...removed]);
      for (const one of removed) assert.equal(trie.delete(one, one), true);
      assert.deepEqual(trie.match(asked).sort(), kept.filter((one) => matches(one, asked)).sort());
      assert.equal(
        trie.matches(asked),
        kept.some((one) => matches(one, asked)),
      );
      assert.equal(trie.delete('a.never', 'added'), false);
    }),
    { numRuns: 500 },
  );
});

test('a trie from which everything was removed is empty', () => {
  fc.assert(
    fc.property(fc.array(pattern), (patterns) => {
      const trie = trieOf(patterns);
      for (const one of patterns) trie.delete(one, one);
      assert.ok(trie.empty);
    }),
  );
});

test('a pattern is covered when one rule matches everything it matches', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 3 }), pattern, (rules, asked) => {
      const meant = world.filter((one) => matches(asked, one));
      const expected = rules.some((rule) => meant.every((one) => matches(rule, one)));
      assert.equal(trieOf(rules).covers(asked), expected);
    }),
    { numRuns: 300 },
  );
});

test('two patterns overlap when some subject matches both', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 3 }), pattern, (rules, asked) => {
      const expected = world.some((one) => matches(asked, one) && rules.some((rule) => matches(rule, one)));
      assert.equal(trieOf(rules).overlaps(asked), expected);
    }),
    { numRuns: 300 },
  );
});

test('subjects and patterns are what the strategies make, and not what is malformed', () => {
  fc.assert(fc.property(subject, (one) => isSubject(one) && isPattern(one)));
  fc.assert(fc.property(pattern, (one) => isPattern(one) && isSubject(one) === !/[*>]/.test(one)));
  for (const bad of [
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'a b',
    'a\tb',
    '>.a',
    'a.>.b',
    '**',
    'a*',
    'x'.repeat(257),
    7,
    null,
  ]) {
    assert.equal(isPattern(bad), false, String(bad));
    assert.equal(isSubject(bad), false, String(bad));
  }
});
