import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { didYouMean, editDistance, nearest } from './nearest.ts';

test('a slip of the finger finds the name that was meant', () => {
  const names = ['librarian', 'message_bus', 'memory_fusion', 'scheduler'];
  assert.equal(nearest('libarian', names), 'librarian');
  assert.equal(nearest('mesage_bus', names), 'message_bus');
  assert.equal(nearest('shceduler', names), 'scheduler');
  assert.equal(nearest('Librarian', names), 'librarian');
  assert.equal(didYouMean('libarian', names), ' (did you mean "librarian"?)');
});

test('a word that is like no name gets no proposal', () => {
  assert.equal(nearest('zzzzzzzz', ['librarian', 'scheduler']), undefined);
  assert.equal(didYouMean('zzzzzzzz', ['librarian']), '');
  assert.equal(nearest('x', []), undefined);
});

test('a transposition of neighbours is one edit', () => {
  assert.equal(editDistance('ab', 'ba'), 1);
  assert.equal(editDistance('kernel', 'kenrel'), 1);
});

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '_'), maxLength: 8 });

test('the distance is zero for equal words alone, and the same both ways', () => {
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, b) === 0, a === b);
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
      assert.ok(editDistance(a, b) >= Math.abs(a.length - b.length));
    }),
  );
});

test('whatever is proposed is a valid name, and none is closer', () => {
  fc.assert(
    fc.property(word, fc.array(word, { maxLength: 6 }), (given, valid) => {
      const name = nearest(given, valid);
      if (name === undefined) return;
      assert.ok(valid.includes(name));
      for (const other of valid) assert.ok(editDistance(given, name) <= editDistance(given, other));
    }),
  );
});
