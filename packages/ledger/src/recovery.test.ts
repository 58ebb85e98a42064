import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { faultyFiles } from '../test/faulty-files.ts';
import { freshFolder } from '../test/folder.ts';
import { readAll, spansOf, writeAlone } from '../test/records.ts';
import { HEAD_FILE } from './head.ts';
import { openLedger, verifyLedger } from './index.ts';
import { openLedgerOn } from './ledger.ts';
import { segmentName } from './segments.ts';

const FIRST = segmentName(1);

describe('a torn tail', () => {
  test('at every byte of the last record is cut off, and the cut is the next entry', async (t) => {
    const source = await freshFolder(t);
    await writeAlone(source, ['one', 'two', 'three']);
    const { from, to } = (await spansOf(join(source, FIRST)))[2]!;
    for (let cut = from + 1; cut < to; cut++) {
      const dir = join(source, `cut-${cut}`);
      await mkdir(dir);
      await copyFile(join(source, FIRST), join(dir, FIRST));
      await truncate(join(dir, FIRST), cut);
      const before = await verifyLedger(dir);
      assert.deepEqual(
        before.problems.map(({ kind, offset, seq }) => ({ kind, offset, seq })),
        [{ kind: 'torn-tail', offset: from, seq: 3 }],
      );
      assert.equal((await readAll(dir)).length, 2);

      const ledger = await openLedger({ dir });
      assert.deepEqual(ledger.recovered, { truncatedBytes: cut - from, segment: FIRST });
      assert.equal((await ledger.append('four')).seq, 4);
      await ledger.close();
      const found = await readAll(dir);
      assert.deepEqual(
        found.map(({ kind }) => kind),
        ['data', 'data', 'recovery', 'data'],
      );
      assert.deepEqual(JSON.parse(found[2]!.text), { segment: FIRST, offset: from, truncatedBytes: cut - from });
      assert.equal((await verifyLedger(dir)).ok, true);
      const again = await openLedger({ dir });
      assert.equal(again.recovered, null);
      await again.close();
    }
  });

  test('at every byte of a new segment header is cut off, and the cut is the next entry', async (t) => {
    const source = await freshFolder(t);
    await writeAlone(source, ['one', 'two'], 200);
    for (let cut = 0; cut < 64; cut += 3) {
      const dir = join(source, `cut-${cut}`);
      await mkdir(dir);
      for (const seq of [1, 2]) await copyFile(join(source, segmentName(seq)), join(dir, segmentName(seq)));
      await truncate(join(dir, segmentName(2)), cut);
      const ledger = await openLedger({ dir });
      assert.deepEqual(ledger.recovered, { truncatedBytes: cut, segment: segmentName(2) });
      await ledger.close();
      assert.deepEqual(
        (await readAll(dir)).map(({ kind }) => kind),
        ['data', 'recovery'],
      );
      assert.equal((await verifyLedger(dir)).ok, true);
    }
  });

  test('with sectors that were never written, inside the last batch, is cut off whole', async (t) => {
    const dir = await freshFolder(t);
    await writeAlone(dir, ['safe']);
    const ledger = await openLedger({ dir });
    await Promise.all(Array.from({ length: 8 }, (_, i) => ledger.append(`${i}`.repeat(400))));
    await ledger.close();
    const path = join(dir, FIRST);
    const bytes = await readFile(path);
    bytes.fill(0, 1024, 1536);
    await writeFile(path, bytes);
    // The machine lost power before the batch was durable, so nothing has noted it.
    await rm(join(dir, HEAD_FILE));
    const again = await openLedger({ dir });
    assert.ok(again.recovered!.truncatedBytes > 2000);
    await again.close();
    const found = await readAll(dir);
    assert.deepEqual([found[0]!.text, found.at(-1)!.kind], ['safe', 'recovery']);
    assert.ok(found.length < 9);
    assert.equal((await verifyLedger(dir)).ok, true);
  });

  test('that is followed by a later batch is damage, and is not cut off', async (t) => {
    const dir = await freshFolder(t);
    await writeAlone(dir, ['a'.repeat(700), 'b'.repeat(700), 'c']);
    const path = join(dir, FIRST);
    const bytes = await readFile(path);
    const { from } = (await spansOf(path))[1]!;
    bytes.fill(0, from, from + 700);
    await writeFile(path, bytes);
    await assert.rejects(openLedger({ dir }), {
      code: 'LEDGER_CORRUPT',
      details: { dir, segment: FIRST, offset: from, seq: 2 },
    });
    assert.deepEqual(await readFile(path), bytes);
  });

  test('is recorded even when the process dies, or the disk fails, at any step of the recovery', async (t) => {
    const source = await freshFolder(t);
    await writeAlone(source, ['one', 'two']);
    const { from, to } = (await spansOf(join(source, FIRST)))[1]!;
    await truncate(join(source, FIRST), to - 5);
    let completed = false;
    for (let failAt = 1; !completed; failAt++) {
      const dir = join(source, `fail-${failAt}`);
      await mkdir(dir);
      await copyFile(join(source, FIRST), join(dir, FIRST));
      const { files } = faultyFiles({ failAt, failCount: 1e9 });
      completed = await openLedgerOn(files, { dir }).then(
        (ledger) =>
          ledger.close().then(
            () => true,
            () => true,
          ),
        (error) => {
          assert.equal(error.code, 'STORAGE_FAILED');
          return false;
        },
      );
      const ledger = await openLedger({ dir });
      await ledger.close();
      const found = await readAll(dir);
      const cuts = found.filter(({ kind }) => kind === 'recovery').map(({ text }) => JSON.parse(text));
      assert.ok(
        cuts.some((cut) => cut.offset === from && cut.truncatedBytes >= to - 5 - from),
        `call ${failAt}: ${JSON.stringify(found)}`,
      );
      assert.equal((await verifyLedger(dir)).ok, true);
      assert.deepEqual(
        (await readdir(dir)).filter((name) => !name.endsWith('.segment') && name !== HEAD_FILE),
        [],
      );
    }
  });
});
