import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isMeant, readDocument, type Snapshot, writeDocument } from './document.ts';
import { judgeOriginal, type Seen } from './original.ts';
import { type Kept, outdated } from './retention.ts';

const DAY = 86_400_000;

describe('retention', () => {
  const kept = fc
    .array(
      fc.record({
        takenMs: fc.integer({ min: 0, max: 100 * DAY }),
        good: fc.boolean(),
        items: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }),
      }),
      { maxLength: 30 },
    )
    .map((all) => all.map((one, i): Kept => ({ number: i + 1, ...one })));
  const rule = fc.record({ keep: fc.integer({ min: 1, max: 10 }), maxAgeMs: fc.integer({ min: 1000, max: 60 * DAY }) });

  test('the last good copy of anything stays, whatever the rule, the age, and the clock', () => {
    fc.assert(
      fc.property(kept, rule, fc.integer({ min: -DAY, max: 1000 * DAY }), (all, given, nowMs) => {
        const gone = new Set(outdated(all, given, nowMs));
        for (const item of ['a', 'b', 'c', 'd']) {
          const last = all.findLast((one) => one.good && one.items.includes(item));
          if (last) assert.ok(!gone.has(last.number), item);
        }
        const stay = all.filter(({ number }) => !gone.has(number));
        // Beyond the count only what holds a last copy, so at most one for each item.
        assert.ok(stay.filter(({ good }) => good).length <= given.keep + 4);
        assert.ok(stay.filter(({ good }) => !good).length <= given.keep);
      }),
    );
  });

  test('what went is what would go again, and nothing else: pruning twice removes nothing more', () => {
    fc.assert(
      fc.property(kept, rule, fc.integer({ min: 0, max: 200 * DAY }), (all, given, nowMs) => {
        const gone = new Set(outdated(all, given, nowMs));
        const stay = all.filter(({ number }) => !gone.has(number));
        assert.deepEqual(outdated(stay, given, nowMs), []);
      }),
    );
  });
});

describe('the verdict on an original', () => {
  const seen = fc.record({
    bytes: fc.nat(5),
    mtimeMs: fc.nat(3),
    sha256: fc.constantFrom('x', 'y'),
  });
  const found = fc.record({ broken: fc.option(fc.constant('bad'), { nil: null }), isBeginning: fc.boolean() });

  test('the same bytes are the same, whatever else is; other bytes never are', () => {
    fc.assert(
      fc.property(seen, seen, found, (recorded: Seen, now: Seen, given) => {
        const { verdict, why } = judgeOriginal(recorded, now, given);
        assert.equal(verdict === 'same', recorded.sha256 === now.sha256);
        assert.equal(why === '', verdict === 'same');
      }),
    );
  });

  test('damage is what is empty, silent, broken or cut off, and nothing else', () => {
    fc.assert(
      fc.property(seen, seen, found, (recorded: Seen, now: Seen, given) => {
        fc.pre(recorded.sha256 !== now.sha256);
        const isSilent = recorded.bytes === now.bytes && recorded.mtimeMs === now.mtimeMs;
        const isCutOff = now.bytes < recorded.bytes && given.isBeginning;
        const isDamage = now.bytes === 0 || isSilent || given.broken !== null || isCutOff;
        assert.equal(judgeOriginal(recorded, now, given).verdict, isDamage ? 'corrupted' : 'changed');
      }),
    );
  });
});

describe('the file of a snapshot', () => {
  const snapshot: Snapshot = {
    format: 1,
    id: 'snap-7',
    takenMs: 1,
    by: 'cli',
    note: 'an "odd" \u2028 note',
    items: [
      {
        item: 'config/configs/acl.yaml',
        group: 'config',
        kind: 'file',
        bytes: 3,
        mode: 0o600,
        mtimeMs: 1.5,
        sha256: 'a'.repeat(64),
        chunks: ['b'.repeat(64)],
      },
    ],
    skipped: [],
  };
  const text = writeDocument(snapshot);

  test('is read as it was written; cut off or changed anywhere it is refused', () => {
    assert.deepEqual(readDocument(text, 'snap-7'), snapshot);
    assert.throws(() => readDocument(text, 'snap-8'), /is that of snap-7/);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), (at, put) => {
        const changed = text.slice(0, at) + put + text.slice(at + put.length);
        if (changed !== text) assert.throws(() => readDocument(changed, 'snap-7'));
        assert.throws(() => readDocument(text.slice(0, at), 'snap-7'));
      }),
      { numRuns: 500 },
    );
  });

  test('with names that lead out is refused, even where its checksum is right', () => {
    for (const item of [
      '/etc/passwd',
      'config/../../etc/passwd',
      'config/a/..',
      'other/a',
      'config/./a',
      'state/a\0b',
      '',
    ])
      assert.throws(
        () => readDocument(writeDocument({ ...snapshot, items: [{ ...snapshot.items[0]!, item }] }), 'snap-7'),
        item,
      );
    for (const wrong of [{ chunks: ['../../x'] }, { sha256: 'x' }, { bytes: -1 }, { mode: 'rwx' }])
      assert.throws(() =>
        readDocument(
          writeDocument({ ...snapshot, items: [{ ...snapshot.items[0]!, ...(wrong as object) }] }),
          'snap-7',
        ),
      );
  });

  test('an item is meant by its own name and by a folder it lies in, not by the beginning of its name', () => {
    assert.ok(
      isMeant('config/a/b', 'config/a') && isMeant('config/a/b', 'config/a/b') && isMeant('config/a/b', 'config/'),
    );
    assert.ok(!isMeant('config/ab', 'config/a') && !isMeant('config/a', 'config/a/b'));
  });
});
