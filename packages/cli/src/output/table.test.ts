import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters, styleText } from 'node:util';
import fc from 'fast-check';
import { toAscii, toAsciiJson } from './ascii.ts';
import { showBytes, showMs, showPercent } from './figures.ts';
import { printable } from './output.ts';
import { table } from './table.ts';

test('columns are as wide as their widest cell, numbers stand at the right', () => {
  const rows = [
    { id: 'message_bus', count: 3 },
    { id: 'scheduler', count: 12_000 },
  ];
  const lines = table(
    [
      { head: 'ID', cell: (row) => row.id },
      { head: 'N', cell: (row) => String(row.count), align: 'right' },
    ],
    rows,
  );
  assert.deepEqual(lines, ['ID               N', 'message_bus      3', 'scheduler    12000']);
});

test('colour changes no width', () => {
  const columns = (paint: (text: string) => string) => [
    { head: 'A', cell: (row: string) => paint(row) },
    { head: 'B', cell: () => 'x' },
  ];
  const red = (text: string): string => styleText('red', text, { validateStream: false });
  const rows = ['a', 'abc', ''];
  assert.deepEqual(table(columns(red), rows).map(stripVTControlCharacters), table(columns(String), rows));
});

test('the last column of every row begins at the same place', () => {
  const word = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 8 }), (rows) => {
      const lines = table(
        [
          { head: 'first', cell: ([a]) => a },
          { head: 'second', cell: ([, b]) => b },
        ],
        rows,
      );
      const starts = lines.map((line) => /^(\S+ +)/.exec(line)![1]!.length);
      assert.equal(new Set(starts).size, 1);
    }),
  );
});

test('figures keep their unit as they grow', () => {
  assert.deepEqual([null, 0, 999, 1000, 59_940, 59_990, 61_000, 7_400_000, 400_000_000].map(showMs), [
    '-',
    '0 ms',
    '999 ms',
    '1.0 s',
    '59.9 s',
    '0m 59s',
    '1m 01s',
    '2h 03m',
    '4d 15h',
  ]);
  assert.deepEqual([null, 0, 812, 999, 1000, 64_000_000, 999_700_000, 2.5e12].map(showBytes), [
    '-',
    '0 B',
    '812 B',
    '999 B',
    '1.0 kB',
    '64.0 MB',
    '1.0 GB',
    '2.5 TB',
  ]);
  assert.deepEqual([null, 0, 9.94, 9.96, 200].map(showPercent), ['-', '0.0 %', '9.9 %', '10 %', '200 %']);
});

test('no text keeps a character above 127 in ASCII, and JSON stays the same document', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.match(toAscii(text), /^[\0-\x7f]*$/);
      const json = JSON.stringify({ text });
      assert.match(toAsciiJson(json), /^[\0-\x7f]*$/);
      assert.deepEqual(JSON.parse(toAsciiJson(json)), JSON.parse(json));
    }),
  );
});

test('what comes from outside cannot drive the terminal', () => {
  assert.equal(printable('a\x1b[2Jb\x07c\rd\x9be\nf\tg'), 'abcde\nf\tg');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\0-\x08\x0b-\x1f\x7f-\x9f]/);
    }),
  );
});
