import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { freshFolder } from '../test/folder.ts';
import { readAll, spansOf, writeAlone } from '../test/records.ts';
import { openLedger, verifyLedger } from './index.ts';
import { segmentName } from './segments.ts';

const FIRST = segmentName(1);
const TEXTS = ['alpha', 'beta '.repeat(30), '', 'delta', 'epsilon '.repeat(9), 'zeta'];

/** kind, segment and seq of each problem. */
async function problemsOf(dir: string): Promise<string[]> {
  const { ok, problems } = await verifyLedger(dir);
  assert.equal(ok, problems.length === 0);
  return problems.map(({ kind, segment, seq }) => `${kind} ${Number(segment.split('.')[0])} ${seq}`);
}

describe('damage', () => {
  test('of one byte anywhere is detected, located, told from a torn tail, and never repaired silently', async (t) => {
    const source = await freshFolder(t);
    await writeAlone(source, TEXTS);
    const intact = await readFile(join(source, FIRST));
    const spans = await spansOf(join(source, FIRST));
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: intact.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, mask) => {
          const dir = join(source, `flip-${run++}`);
          await mkdir(dir);
          const bytes = Buffer.from(intact);
          bytes[at]! ^= mask;
          await writeFile(join(dir, FIRST), bytes);
          const struck = spans.findIndex(({ from, to }) => from <= at && at < to);
          const expected = struck === -1 ? 'header 1 undefined' : `checksum 1 ${struck + 1}`;
          assert.deepEqual(await problemsOf(dir), [expected], `byte ${at} ^ ${mask}`);
          await assert.rejects(
            openLedger({ dir }),
            (error: { code: string; details: { segment: string; offset: number } }) => {
              assert.equal(error.code, 'LEDGER_CORRUPT');
              assert.equal(error.details.segment, FIRST);
              assert.equal(error.details.offset, struck === -1 ? 0 : spans[struck]!.from);
              return true;
            },
          );
          await assert.rejects(readAll(dir), { code: 'LEDGER_CORRUPT' });
          assert.deepEqual(await readFile(join(dir, FIRST)), bytes);
          await rm(dir, { recursive: true });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('of any byte of the last record is not taken for a torn tail', async (t) => {
    const dir = await freshFolder(t);
    await writeAlone(dir, ['one', 'two']);
    const intact = await readFile(join(dir, FIRST));
    const { from, to } = (await spansOf(join(dir, FIRST)))[1]!;
    for (let at = from; at < to; at++) {
      for (const mask of [1, 0x80]) {
        const bytes = Buffer.from(intact);
        bytes[at]! ^= mask;
        await writeFile(join(dir, FIRST), bytes);
        assert.deepEqual(await problemsOf(dir), ['checksum 1 2'], `byte ${at - from} ^ ${mask}`);
        await assert.rejects(openLedger({ dir }), { code: 'LEDGER_CORRUPT' });
      }
    }
  });

  test('of several records is told record by record, and what is behind it is still judged', async (t) => {
    const dir = await freshFolder(t);
    await writeAlone(dir, TEXTS);
    const spans = await spansOf(join(dir, FIRST));
    const bytes = await readFile(join(dir, FIRST));
    bytes[spans[1]!.from + 70]! ^= 1;
    bytes[spans[4]!.from + 70]! ^= 1;
    await writeFile(join(dir, FIRST), bytes);
    assert.deepEqual(await problemsOf(dir), ['checksum 1 2', 'checksum 1 5']);
    assert.equal((await verifyLedger(dir)).records, 4);
  });

  test('a removed, a repeated and a moved record are told apart', async (t) => {
    const source = await freshFolder(t);
    await writeAlone(source, TEXTS);
    const intact = await readFile(join(source, FIRST));
    const spans = await spansOf(join(source, FIRST));
    const part = (seq: number) => intact.subarray(spans[seq - 1]!.from, spans[seq - 1]!.to);
    const arrange = async (...order: number[]) => {
      const dir = join(source, order.join('-'));
      await mkdir(dir);
      await writeFile(join(dir, FIRST), Buffer.concat([intact.subarray(0, 64), ...order.map(part)]));
      const problems = await problemsOf(dir);
      if (problems.length > 0) await assert.rejects(openLedger({ dir }), { code: 'LEDGER_CORRUPT' });
      return problems;
    };
    assert.deepEqual(await arrange(1, 2, 3, 4, 5, 6), []);
    assert.deepEqual(await arrange(1, 2, 4, 5, 6), ['gap 1 3']);
    assert.deepEqual(await arrange(2, 3, 4, 5, 6), ['gap 1 1']);
    assert.deepEqual(await arrange(1, 2, 2, 3, 4, 5, 6), ['duplicate 1 2']);
    assert.deepEqual(await arrange(1, 2, 3, 4, 5, 6, 3), ['duplicate 1 3']);
    assert.deepEqual(await arrange(1, 3, 2, 4, 5, 6), ['order 1 2']);
    assert.deepEqual(await arrange(1, 4, 5, 2, 3, 6), ['order 1 2']);
    assert.deepEqual(await arrange(1, 6, 3, 4), ['order 1 3', 'gap 1 2', 'gap 1 5']);
  });

  test('content changed with a fitting checksum, and history rewritten with fitting hashes, are found by hash and link', async (t) => {
    const source = await freshFolder(t);
    await writeAlone(source, TEXTS);
    const path = join(source, FIRST);
    const intact = await readFile(path);
    const { from, to } = (await spansOf(path))[1]!;
    const changed = Buffer.from(intact);
    changed[from + 60]! ^= 1;
    changed.writeUInt32LE(crc32(changed.subarray(from + 4, to)), from);
    await writeFile(path, changed);
    assert.deepEqual(await problemsOf(source), ['hash 1 2']);
    await assert.rejects(readAll(source), {
      code: 'LEDGER_CORRUPT',
      details: { dir: source, segment: FIRST, offset: from, seq: 2 },
    });
    await writeFile(path, changed.subarray(0, to));
    await assert.rejects(openLedger({ dir: source }), { code: 'LEDGER_CORRUPT', message: /hash/ });

    const forged = join(source, 'forged');
    await writeAlone(forged, [TEXTS[0]!, 'forged', ...TEXTS.slice(2)]);
    const other = await readFile(join(forged, FIRST));
    const span = (await spansOf(join(forged, FIRST)))[1]!;
    const spliced = Buffer.concat([intact.subarray(0, from), other.subarray(span.from, span.to), intact.subarray(to)]);
    await writeFile(path, spliced);
    assert.deepEqual((await problemsOf(source)).at(-1), 'link 1 3');
    await assert.rejects(openLedger({ dir: source }), { code: 'LEDGER_CORRUPT' });
  });

  test('a removed, exchanged, repeated, cut or renamed segment is told, by verification and at open', async (t) => {
    const source = await freshFolder(t);
    await writeAlone(
      source,
      TEXTS.map((_, i) => `${i}`.repeat(200)),
      700,
    );
    const names = [1, 3, 5].map(segmentName);
    const spoil = async (name: string, how: (dir: string) => Promise<void>) => {
      const dir = join(source, name);
      await mkdir(dir);
      for (const segment of names) await copyFile(join(source, segment), join(dir, segment));
      await how(dir);
      const problems = await problemsOf(dir);
      await assert.rejects(openLedger({ dir }), { code: 'LEDGER_CORRUPT' }, name);
      return problems;
    };
    const at = (dir: string, i: number) => join(dir, names[i]!);
    assert.deepEqual(await problemsOf(source), []);
    assert.deepEqual(await spoil('first removed', (dir) => rm(at(dir, 0))), ['missing-segment 3 1']);
    assert.deepEqual(await spoil('middle removed', (dir) => rm(at(dir, 1))), ['missing-segment 5 3']);
    const exchange = async (dir: string) => {
      await rename(at(dir, 0), join(dir, 'aside'));
      await rename(at(dir, 1), at(dir, 0));
      await rename(join(dir, 'aside'), at(dir, 1));
    };
    assert.deepEqual(await spoil('exchanged', exchange), ['segment-order 1 undefined', 'segment-order 3 undefined']);
    const repeat = (dir: string) => copyFile(at(dir, 0), join(dir, segmentName(4)));
    assert.deepEqual(await spoil('repeated', repeat), ['duplicate-segment 4 undefined']);
    const overwrite = (dir: string) => copyFile(at(dir, 0), at(dir, 1));
    assert.deepEqual(await spoil('overwritten', overwrite), ['duplicate-segment 3 undefined', 'missing-segment 5 3']);
    const cut = async (dir: string) => writeFile(at(dir, 1), (await readFile(at(dir, 1))).subarray(0, 64 + 292));
    assert.deepEqual(await spoil('cut at a record', cut), ['gap 5 4']);
    const tear = async (dir: string) => writeFile(at(dir, 1), (await readFile(at(dir, 1))).subarray(0, -7));
    assert.deepEqual(await spoil('cut in a record', tear), ['checksum 3 4']);
    const copy = (dir: string) => copyFile(at(dir, 0), join(dir, 'copy of 1.segment'));
    assert.deepEqual(await spoil('copy', copy), ['duplicate-segment NaN undefined']);
    const stray = (dir: string) => writeFile(join(dir, 'notes.segment'), 'no segment');
    assert.deepEqual(await spoil('stray', stray), ['segment NaN undefined']);
  });
});
