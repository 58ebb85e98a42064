import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { crash, journal } from '../fixtures/records.ts';
import { happeningOf } from '../happenings/happening.ts';
import { observe } from './observation.ts';
import { wilsonLower } from './wilson.ts';

const count = fc.integer({ min: 0, max: 100_000 });

describe("Wilson's lower bound", () => {
  test('of nothing is nothing, and known values come out', () => {
    assert.equal(wilsonLower(0, 0), null);
    // 10 of 10, and 50 of 100, at 95 %: Wilson 1927, as in every table of it.
    assert.equal(wilsonLower(10, 0)!.toFixed(4), '0.7225');
    assert.equal(wilsonLower(50, 50)!.toFixed(4), '0.4038');
  });

  test('lies below the share, rises with what was kept, and falls with what was broken', () => {
    fc.assert(
      fc.property(count, count, (kept, broken) => {
        fc.pre(kept + broken > 0);
        const bound = wilsonLower(kept, broken)!;
        assert.ok(bound >= 0 && bound <= kept / (kept + broken));
        assert.ok(wilsonLower(kept + 1, broken)! > bound);
        assert.ok(wilsonLower(kept, broken + 1)! <= bound);
      }),
    );
  });
});

describe('a promise', () => {
  test('is seen kept or broken where the journal says so, and nowhere else', () => {
    const seen = crash().flatMap((record) => observe(happeningOf(record)!) ?? []);
    assert.deepEqual(
      seen.map(({ component, source, kept }) => [component, source, kept]),
      [
        ['librarian', 'life', false],
        ['librarian', 'start', true],
        ['self_healing', 'repair', true],
      ],
    );
  });

  test('is not broken by who was asked to go down, or went down with its cell', () => {
    const write = journal();
    const down = (cause: string) =>
      write('kernel:state', { from: 'running', to: 'backoff', reason: '', cause }, { kernel: 'librarian' });
    assert.equal(observe(happeningOf(down('cell'))!), undefined);
    assert.equal(observe(happeningOf(down('manual'))!)?.kept, true);
    assert.equal(observe(happeningOf(down('hung'))!)?.kept, false);
  });
});
