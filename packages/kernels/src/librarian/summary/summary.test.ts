import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { summarise } from './summary.ts';

const TEXT = `The supervisor watches every kernel and restarts a kernel that died. A restart of a kernel is counted against its budget.
When the budget of a kernel is used up, the supervisor puts the kernel into quarantine. The canteen offers soup on Fridays.
A kernel in quarantine is not restarted by the supervisor until a person looks at it.`;

describe('a summary', () => {
  test('holds sentences of the text, as many as asked for, in their order', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), fc.integer({ min: 1, max: 5 }), (text, count) => {
        const sentences = summarise(text, count);
        assert.ok(sentences.length <= count);
        const bare = text.replace(/\s+/g, ' ');
        for (const sentence of sentences) assert.ok(bare.includes(sentence), sentence);
      }),
    );
    const sentences = summarise(TEXT, 3);
    const places = sentences.map((sentence) => TEXT.replace(/\s+/g, ' ').indexOf(sentence));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.equal(sentences.length, 3);
  });
  test('leaves out the sentence that has nothing to do with the others', () => {
    assert.ok(!summarise(TEXT, 4).some((sentence) => sentence.includes('canteen')));
  });
  test('takes no heading mark, list mark or repeated sentence', () => {
    const repeated =
      '# Title\n\n- First point about restarts here\n- First point about restarts here\n- Second point about restarts there\n';
    assert.deepEqual(summarise(repeated, 5), ['First point about restarts here', 'Second point about restarts there']);
  });
  test('of a text with thousands of sentences is made from a bounded number of them', () => {
    const many = Array.from({ length: 3000 }, (_, i) => `Kernel number ${i} was restarted after ${i} seconds.`).join(
      ' ',
    );
    assert.equal(summarise(many, 5).length, 5);
  });
});
