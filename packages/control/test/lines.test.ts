import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineReader } from '../src/index.ts';

test('however the bytes are cut, the same lines come out', () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\n'));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      const reader = new LineReader();
      const out: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const length = cuts.next().value as number;
        out.push(...reader.push(bytes.subarray(at, at + length)));
        at += length;
      }
      assert.deepEqual(
        out,
        lines.map((text) => Buffer.from(text).toString('utf8')),
      );
    }),
  );
});

test('a line of the limit passes, one byte more does not, however it is cut', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), (chunk) => {
      const feed = (length: number): string[] => {
        const reader = new LineReader(10);
        const bytes = Buffer.from(`${'x'.repeat(length)}\n`);
        const out: string[] = [];
        for (let at = 0; at < bytes.length; at += chunk) out.push(...reader.push(bytes.subarray(at, at + chunk)));
        return out;
      };
      assert.deepEqual(feed(10), ['x'.repeat(10)]);
      assert.throws(() => feed(11), { code: 'PROTOCOL' });
    }),
  );
});
