import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { faultyFiles } from '../test/faulty-files.ts';
import { freshFolder } from '../test/folder.ts';
import { readAll } from '../test/records.ts';
import { type Appended, openLedger, verifyLedger } from './index.ts';
import { openLedgerOn } from './ledger.ts';

interface Tried {
  acknowledged: Map<number, { text: string; hash: string }>;
  codes: Set<string>;
}

const SOME = 18;
/** A failure of 12 calls begins at every third call, so that each is met four times; `GRACE_EVERY_CALL=1`: at each. */
const STEP_OF_LONG = Number(process.env['GRACE_EVERY_CALL'] ?? 3);

/** Appends several batches at a time and notes what was promised. */
async function appendSome(
  ledger: { append(text: string): Promise<Appended> },
  prefix: string,
  tried: Tried,
): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const texts = Array.from({ length: 6 }, (_, i) => `${prefix}/${round}/${i} ${'#'.repeat(60)}`);
    const answers = await Promise.allSettled(texts.map((text) => ledger.append(text)));
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 'rejected') tried.codes.add(answer.reason.code);
      else tried.acknowledged.set(answer.value.seq, { text: texts[i]!, hash: answer.value.hash });
    }
  }
}

/** Every promise was kept, and nothing is wrong with the folder. */
async function assertKept(dir: string, { acknowledged }: Tried, what: string): Promise<void> {
  assert.deepEqual((await verifyLedger(dir)).problems, [], what);
  const found = new Map((await readAll(dir)).map(({ seq, text, hash }) => [seq, { text, hash }]));
  for (const [seq, record] of acknowledged) assert.deepEqual(found.get(seq), record, `${what}, record ${seq}`);
}

const fresh = (): Tried => ({ acknowledged: new Map(), codes: new Set() });

describe('a failing file system', () => {
  for (const [errno, code] of [
    ['EIO', 'STORAGE_FAILED'],
    ['ENOSPC', 'STORAGE_FULL'],
  ] as const) {
    for (const [failCount, writeThrough] of [
      [1, false],
      [12, false],
      [1, true],
      [12, true],
    ] as const) {
      const how = writeThrough ? ', written through,' : '';
      test(`${errno} at any ${failCount === 1 ? 'call' : `${failCount} calls`} of a scenario${how} loses nothing acknowledged, and service returns`, async (t) => {
        const root = await freshFolder(t);
        let reached = true;
        for (let failAt = 1; reached; failAt += failCount === 1 ? 1 : STEP_OF_LONG) {
          const dir = join(root, `${failAt}`);
          const what = `${errno} x ${failCount} at call ${failAt}`;
          await mkdir(dir);
          const { files, faults } = faultyFiles({ failAt, failCount, errno });
          const tried = fresh();
          const options = { dir, segmentBytes: 900, groupCommitMs: 0, maxBatch: 2, writeThrough };
          const ledger = await openLedgerOn(files, options).catch((error) => {
            assert.equal(error.code, code, what);
          });
          if (ledger) {
            await appendSome(ledger, 'during', tried);
            reached = faults.calls >= failAt;
            faults.failAt = 0;
            assert.ok((await ledger.append('service is back')).seq > 0, what);
            await ledger.close();
          }
          for (const seen of tried.codes) assert.equal(seen, code, what);
          await assertKept(dir, tried, what);
          const again = await openLedger({ dir });
          await appendSome(again, 'after', tried);
          await again.close();
          assert.ok(tried.acknowledged.size >= SOME, what);
          await assertKept(dir, tried, what);
          await rm(dir, { recursive: true });
        }
      });
    }
  }

  test('what a failed write left of a long record is gone once a short one stands there', async (t) => {
    for (const writeThrough of [false, true]) {
      const dir = await freshFolder(t);
      const { files, faults } = faultyFiles();
      const ledger = await openLedgerOn(files, { dir, writeThrough });
      await ledger.append('the first');
      // The write of it, and what would clean up right after it.
      Object.assign(faults, { failAt: faults.calls + 1, failCount: writeThrough ? 1 : 2 });
      await assert.rejects(ledger.append('#'.repeat(4000)), { code: 'STORAGE_FAILED' });
      faults.failAt = 0;
      await ledger.append('short');
      assert.deepEqual((await verifyLedger(dir)).problems, [], `while it is open, written through: ${writeThrough}`);
      await ledger.close();
      assert.deepEqual((await verifyLedger(dir)).problems, [], `written through: ${writeThrough}`);
      assert.deepEqual(
        (await readAll(dir)).map(({ text }) => text),
        ['the first', 'short'],
      );
    }
  });

  test('writes that are cut short are continued', async (t) => {
    const dir = await freshFolder(t);
    const { files } = faultyFiles({ shortBytes: 7 });
    const tried = fresh();
    const ledger = await openLedgerOn(files, { dir });
    await appendSome(ledger, 'short', tried);
    await ledger.close();
    assert.equal(tried.acknowledged.size, SOME);
    await assertKept(dir, tried, 'short writes');
  });

  test('a disk that fills up at any byte refuses, keeps what it promised, and serves again when there is space', async (t) => {
    const root = await freshFolder(t);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2500 }), fc.boolean(), async (spaceBytes, writeThrough) => {
        const dir = join(root, `${run++}`);
        const { files, faults } = faultyFiles({ spaceBytes });
        const tried = fresh();
        const ledger = await openLedgerOn(files, { dir, segmentBytes: 1200, groupCommitMs: 0, writeThrough });
        await appendSome(ledger, 'filling', tried);
        assert.deepEqual([...tried.codes], spaceBytes < 2500 ? ['STORAGE_FULL'] : [...tried.codes]);
        faults.spaceBytes = Number.POSITIVE_INFINITY;
        await appendSome(ledger, 'space again', tried);
        await ledger.close();
        assert.ok(tried.acknowledged.size >= SOME);
        await assertKept(dir, tried, `${spaceBytes} bytes`);
      }),
      { numRuns: 60 },
    );
  });

  test('a segment that could not be begun leaves nothing behind', async (t) => {
    const dir = await freshFolder(t);
    for (const spaceBytes of [0, 1, 63]) {
      const { files } = faultyFiles({ spaceBytes });
      const ledger = await openLedgerOn(files, { dir });
      await assert.rejects(ledger.append('no room'), { code: 'STORAGE_FULL' });
      await ledger.close();
      assert.deepEqual(await readdir(dir), []);
    }
  });

  test('a real full file system refuses with STORAGE_FULL and serves again when there is space', async (t) => {
    const disk = await smallDisk(t);
    if (disk === null) return t.skip('mounting a tmpfs needs privilege, which this user does not have');
    const ballast = join(disk, 'ballast');
    await writeFile(ballast, Buffer.alloc(700_000));
    const dir = join(disk, 'ledger');
    const tried = fresh();
    const ledger = await openLedger({ dir, segmentBytes: 100_000 });
    while (tried.codes.size === 0) await appendSome(ledger, 'x'.repeat(3000), tried);
    assert.deepEqual([...tried.codes], ['STORAGE_FULL']);
    const promised = tried.acknowledged.size;
    await rm(ballast);
    await appendSome(ledger, 'space again', tried);
    assert.equal(tried.acknowledged.size, promised + SOME);
    await ledger.close();
    await assertKept(dir, tried, 'full tmpfs');
  });
});

/** A file system of 1 MB; null when this user may not mount one. */
async function smallDisk(t: TestContext): Promise<string | null> {
  let mounted: string | null = null;
  // Before the folder is removed: hooks run in this order.
  t.after(() => {
    if (mounted !== null) run('umount', mounted);
  });
  const point = join(await freshFolder(t), 'disk');
  await mkdir(point);
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', point);
  } catch {
    return null;
  }
  mounted = point;
  return point;
}

function run(program: string, ...parameters: string[]): void {
  execFileSync(program, parameters, { stdio: 'pipe' });
}
