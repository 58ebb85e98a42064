import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { hashedEmbedder } from './embedder.ts';
import { contentWords, wordsOf } from './words.ts';

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe('words', () => {
  test('identifiers are taken apart, accents and case do not matter', () => {
    assert.deepEqual(wordsOf('lateAfterMs of message_bus, Café'), [
      'late',
      'after',
      'ms',
      'of',
      'message',
      'bus',
      'cafe',
    ]);
  });
  test('a text of stop words alone keeps them, so that it can be found', () => {
    assert.deepEqual(contentWords('to be or not to be'), ['to', 'be', 'or', 'not', 'to', 'be']);
    assert.deepEqual(contentWords('the state of the kernel'), ['state', 'kernel']);
  });
  test('any text gives words of letters and digits alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const word of wordsOf(text)) assert.match(word, /^[\p{L}\p{N}]{1,64}$/u);
      }),
    );
  });
});

describe('the built-in embedder', () => {
  const embedder = hashedEmbedder(512);
  test('every text gives a vector of unit length, or the zero vector when it has no word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const vector = embedder.embed(text);
        assert.equal(vector.length, 512);
        const length = Math.sqrt(dot(vector, vector));
        assert.ok(wordsOf(text).length === 0 ? length === 0 : Math.abs(length - 1) < 1e-5 || length === 0, `${length}`);
      }),
    );
  });
  test('the same text always gives the same vector, in any order of its words', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{3,9}$/), { minLength: 1, maxLength: 20 }), (words) => {
        const forward = embedder.embed(words.join(' '));
        const backward = embedder.embed(words.toReversed().join(' '));
        assert.ok(dot(forward, backward) > 0.999);
      }),
    );
  });
  test('an inflected and a misspelt word stay near, an unrelated one is far', () => {
    const near = (a: string, b: string): number => dot(embedder.embed(a), embedder.embed(b));
    assert.ok(near('restarting kernels', 'the kernel restarts') > 0.3);
    assert.ok(near('exponetial backof', 'exponential backoff') > 0.3);
    assert.ok(Math.abs(near('restarting kernels', 'tea in the kitchen')) < 0.15);
  });
});
