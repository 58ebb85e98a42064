import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isCoded } from '../fixtures/agent-rig.ts';
import { contentOf, put, treeOf } from '../fixtures/tree.ts';
import { hash } from '../scan/finding.ts';
import { type Swap, swapFiles } from './applier.ts';
import { changedLines, unifiedDiff } from './diff.ts';
import { applyEdits, lineStarts, offsetAt, placeAt, withoutOverlaps } from './edit.ts';
import { type Exchange, exchange, exchangesOf } from './exchange.ts';

const lines = fc.array(fc.constantFrom('a', 'b', '', '  c', '-- d', '@@ e', 'ü\r', '\\ f'), { maxLength: 30 });
const text = fc.tuple(lines, fc.boolean()).map(([all, ends]) => all.join('\n') + (ends && all.length > 0 ? '\n' : ''));

/** What `patch` does with a diff of one file, strictly: each line that is kept or taken away must be there. */
function patched(before: string, diff: string): string {
  const source = before === '' ? [] : before.split(/(?<=\n)/);
  const out: string[] = [];
  let at = 0;
  let left = { old: 0, new: 0 };
  const all = diff.split('\n').slice(0, -1);
  for (let i = 2; i < all.length; i++) {
    const line = all[i]!;
    const header = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line);
    if (header && left.old === 0 && left.new === 0) {
      const [, start, length, newStart, newLength] = header.map(Number) as [number, number, number, number, number];
      const from = length === 0 ? start : start - 1;
      out.push(...source.slice(at, from));
      at = from;
      assert.equal(out.length, newLength === 0 ? newStart : newStart - 1);
      left = { old: length, new: newLength };
      continue;
    }
    const isLast = all[i + 1] === '\\ No newline at end of file';
    const content = line.slice(1) + (isLast ? '' : '\n');
    if (line[0] !== '+') {
      assert.equal(source[at++], content);
      left.old--;
    }
    if (line[0] !== '-') {
      out.push(content);
      left.new--;
    }
    if (isLast) i++;
  }
  assert.deepEqual(left, { old: 0, new: 0 });
  return [...out, ...source.slice(at)].join('');
}

describe('a diff', () => {
  test('makes the one text of the other, for every pair', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const diff = unifiedDiff('a', before, after);
        if (before === after) assert.equal(diff, '');
        else assert.equal(patched(before, diff), after);
      }),
      { numRuns: 500 },
    );
  });

  test('has as few lines as a change of one line needs, also in a long file', () => {
    const all = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
    const diff = unifiedDiff('a', `${all.join('\n')}\n`, `${all.with(2500, 'other').join('\n')}\n`);
    assert.deepEqual([changedLines(diff), diff.split('\n').length], [2, 12]);
    assert.match(diff, /@@ -2498,7 \+2498,7 @@/);
  });
});

describe('edits', () => {
  test('that do not overlap are all applied, whatever their order; others are refused', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 50 }),
        fc.array(fc.tuple(fc.nat(50), fc.nat(5), fc.string({ maxLength: 3 })), { maxLength: 5 }),
        (source, raw) => {
          const groups = raw
            .map(([start, length, insert]) => ({ start, end: start + length, text: insert }))
            .filter(({ end }) => end <= source.length)
            .map((edit) => [edit]);
          const edits = withoutOverlaps(groups);
          const expected = [...edits]
            .map((edit, i) => ({ ...edit, i }))
            .sort((a, b) => b.start - a.start || b.end - a.end || b.i - a.i)
            .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), source);
          assert.equal(applyEdits(source, edits), expected);
        },
      ),
    );
    assert.throws(
      () =>
        applyEdits('abc', [
          { start: 0, end: 2, text: '' },
          { start: 1, end: 3, text: '' },
        ]),
      /overlap/,
    );
    assert.throws(() => applyEdits('abc', [{ start: 2, end: 4, text: '' }]), /outside/);
  });

  test('find their place by line and column, and back', () => {
    fc.assert(
      fc.property(text, fc.nat(), (source, n) => {
        const offset = source.length === 0 ? 0 : n % source.length;
        const starts = lineStarts(source);
        const { line, column } = placeAt(starts, offset);
        assert.equal(offsetAt(starts, line, column, source.length), offset);
      }),
    );
  });
});

const swap = (file: string, from: string, to: string): Swap => ({
  file,
  fromHash: hash(from),
  toHash: hash(to),
  to: () => to,
});

describe('what is kept of a patch', () => {
  const source = fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 12 }).map((all) => all.join('\n'));
  test('makes of either text the other one', () => {
    fc.assert(
      fc.property(source, source, (before, after) => {
        const kept = JSON.parse(JSON.stringify(exchangesOf(before, after))) as Exchange[];
        assert.equal(exchange(before, kept, 'apply'), after);
        assert.equal(exchange(after, kept, 'revert'), before);
      }),
      { numRuns: 300 },
    );
  });

  test('holds what differs and nothing beside it', () => {
    const before = 'import os\nKEY = "not for others"\nprint(1, KEY)\n';
    const kept = exchangesOf(before, 'KEY = "not for others"\nprint(2, KEY)\n');
    assert.deepEqual(kept, [
      { at: 0, before: 'import os\n', after: '' },
      { at: 39, before: '1', after: '2' },
    ]);
  });
});

describe('a change in the tree', () => {
  test('and back leaves the same bytes and modes, for every set of files', async () => {
    const file = fc.record({
      before: fc.string({ unit: 'grapheme', maxLength: 40 }),
      after: fc.string({ unit: 'grapheme', maxLength: 40 }),
      mode: fc.constantFrom(0o600, 0o644, 0o755),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 6 }), async (files) => {
        const root = treeOf();
        const swaps = files.map(({ before, after, mode }, i) => {
          const name = i % 2 === 0 ? `f${i}` : `in/the folder/f${i}`;
          put(root, name, before);
          chmodSync(join(root, name), mode);
          return { there: swap(name, before, after), back: swap(name, after, before) };
        });
        const look = () =>
          Object.keys(contentOf(root)).map((name) => [
            name,
            contentOf(root)[name],
            statSync(join(root, name)).mode & 0o777,
          ]);
        const before = look();
        await swapFiles(
          root,
          'mark',
          swaps.map(({ there }) => there),
        );
        for (const { there } of swaps) assert.equal(hash(contentOf(root)[there.file]!), there.toHash);
        await swapFiles(
          root,
          'mark',
          swaps.map(({ back }) => back),
        );
        assert.deepEqual(look(), before);
      }),
      { numRuns: 8 },
    );
  });

  test('happens to all files or to none: the second of three is another by now', async () => {
    const root = treeOf({ a: '1', b: 'somebody', c: '1' });
    await assert.rejects(
      swapFiles(
        root,
        'mark',
        ['a', 'b', 'c'].map((name) => swap(name, '1', '2')),
      ),
      isCoded('CONFLICT', /b has changed/),
    );
    assert.deepEqual(contentOf(root), { a: '1', b: 'somebody', c: '1' });
    assert.deepEqual(readdirSync(root).sort(), ['a', 'b', 'c'], 'nothing is left beside them');
  });

  test('is taken back where a file is changed while it happens, and that file is left to who changed it', async () => {
    const root = treeOf({ a: '1', b: '1', c: '1' });
    let renamed = 0;
    const change = swapFiles(
      root,
      'mark',
      ['a', 'b', 'c'].map((name) => swap(name, '1', '2')),
      () => {
        if (++renamed === 2) writeFileSync(join(root, 'c'), 'mine');
      },
    );
    await assert.rejects(change, isCoded('CONFLICT', /c has changed/));
    assert.equal(renamed, 2);
    assert.deepEqual(contentOf(root), { a: '1', b: '1', c: 'mine' });
    assert.deepEqual(readdirSync(root).sort(), ['a', 'b', 'c']);
  });

  for (const [what, path] of [
    ['a path that climbs', '../victim'],
    ['an absolute path', '/etc/hostname'],
    ['a path that climbs from within', 'in/../../victim'],
  ] as const)
    test(`never leaves the root: ${what}`, async () => {
      const outside = treeOf({ victim: '1' });
      mkdirSync(join(outside, 'root/in'), { recursive: true });
      await assert.rejects(swapFiles(join(outside, 'root'), 'mark', [swap(path, '1', '2')]), isCoded('FORBIDDEN'));
      assert.deepEqual(contentOf(outside), { victim: '1' });
    });

  test('never goes through a link: of the file, of its folder, of a folder above, even to the same text', async () => {
    const outside = treeOf({ 'there/f': '1' });
    const cases: [string, (root: string) => void][] = [
      ['f', (root) => symlinkSync(join(outside, 'there/f'), join(root, 'f'))],
      ['in/f', (root) => symlinkSync(join(outside, 'there'), join(root, 'in'))],
      ['in/there/f', (root) => symlinkSync(outside, join(root, 'in'))],
    ];
    for (const [file, make] of cases) {
      const root = treeOf();
      make(root);
      await assert.rejects(swapFiles(root, 'mark', [swap(file, '1', '2')]), isCoded('FORBIDDEN', /link/));
    }
    assert.deepEqual(contentOf(outside), { 'there/f': '1' });
  });

  test('stays in the folder it was checked in, when a link takes that place in the middle', async () => {
    const outside = treeOf({ a: '1', b: '1' });
    const root = treeOf({ 'in/a': '1', 'in/b': '1' });
    let isSwapped = false;
    await swapFiles(root, 'mark', [swap('in/a', '1', '2'), swap('in/b', '1', '2')], () => {
      if (isSwapped) return;
      isSwapped = true;
      renameSync(join(root, 'in'), join(root, 'moved'));
      symlinkSync(outside, join(root, 'in'));
    });
    assert.deepEqual(contentOf(outside), { a: '1', b: '1' });
    assert.deepEqual(contentOf(join(root, 'moved')), { a: '2', b: '2' });
  });
});
