import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { freshFolder } from '../test/folder.ts';
import { readAll, writeAlone } from '../test/records.ts';
import { diskFiles } from './files.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import { GENESIS_HASH, type LedgerRecord, MAX_PAYLOAD_BYTES, openLedger, readLedger, verifyLedger } from './index.ts';
import { openLedgerOn } from './ledger.ts';
import { listSegments } from './segments.ts';
import { verifyLedgerOn } from './verify.ts';

async function collect(records: AsyncIterable<LedgerRecord>): Promise<LedgerRecord[]> {
  const found: LedgerRecord[] = [];
  for await (const record of records) found.push(record);
  return found;
}

describe('a ledger', () => {
  test('gives back any records, from any segment size, in the order of calls, without gaps', async (t) => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        payloads,
        fc.integer({ min: 200, max: 3000 }),
        fc.integer({ min: 1, max: 20 }),
        async (all, segmentBytes, maxBatch) => {
          const dir = await freshFolder(t);
          const ledger = await openLedger({ dir, segmentBytes, maxBatch, groupCommitMs: 1 });
          const answers = await Promise.all(all.map((payload) => ledger.append(payload)));
          assert.deepEqual(
            answers.map(({ seq }) => seq),
            all.map((_, i) => i + 1),
          );
          assert.deepEqual(ledger.last, answers.at(-1));
          const own = await collect(ledger.read(1, 1e9));
          await ledger.close();
          const others = await collect(readLedger(dir, 1, 1e9));
          assert.deepEqual(own, others);
          assert.deepEqual(
            others.map(({ payload }) => [...payload]),
            all.map((payload) => [...payload]),
          );
          assert.deepEqual(
            others.map(({ hash }) => hash),
            answers.map(({ hash }) => hash),
          );
          for (const { path } of (await listSegments(diskFiles, dir)).segments) {
            const { size } = await stat(path);
            assert.ok(size <= Math.max(segmentBytes, SEGMENT_HEADER_BYTES + 92 + 300), `segment of ${size} bytes`);
          }
          const verdict = await verifyLedger(dir);
          const last = { seq: all.length, hash: answers.at(-1)!.hash };
          assert.deepEqual(verdict, {
            ok: true,
            records: all.length,
            last,
            lastHash: last.hash,
            problems: [],
            epochs: [],
          });
        },
      ),
      { numRuns: 25 },
    );
  });

  test('reads any range of any segment', async (t) => {
    const dir = await freshFolder(t);
    const texts = Array.from({ length: 400 }, (_, i) => `record ${i + 1} ${'x'.repeat((i * 37) % 900)}`);
    const ledger = await openLedger({ dir, segmentBytes: 150_000 });
    await Promise.all(texts.map((text) => ledger.append(text)));
    assert.equal((await listSegments(diskFiles, dir)).segments.length, 2);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -3, max: 420 }), fc.integer({ min: 0, max: 60 }), async (from, limit) => {
        const wanted = texts.slice(Math.max(1, from) - 1, Math.max(1, from) - 1 + limit);
        for (const source of [ledger.read(from, limit), readLedger(dir, from, limit)]) {
          const got = (await collect(source)).map(({ payload }) => Buffer.from(payload).toString());
          assert.deepEqual(got, wanted);
        }
      }),
      { numRuns: 40 },
    );
    await ledger.close();
  });

  test('links each record to the one before it with SHA-256, over restarts and segments', async (t) => {
    const dir = await freshFolder(t);
    await writeAlone(dir, ['a', 'b', 'c'], 300);
    await writeAlone(dir, ['d'], 300);
    let previous = GENESIS_HASH;
    for await (const { seq, atMs, payload, hash } of readLedger(dir, 1, 10)) {
      const head = Buffer.alloc(24);
      head.writeUInt32LE(payload.length, 0);
      head.writeBigUInt64LE(BigInt(seq), 4);
      head.writeUIntLE(atMs, 12, 6);
      head[18] = 1;
      head[19] = 0xa7;
      const expected = createHash('sha256').update(head).update(previous, 'hex').update(payload).digest('hex');
      assert.equal(hash, expected, `record ${seq}`);
      previous = hash;
    }
    assert.equal((await verifyLedger(dir)).records, 4);
  });

  test('answers only after the sync, and one sync serves many', async (t) => {
    const dir = await freshFolder(t);
    let syncs = 0;
    let answered = 0;
    const gate = Promise.withResolvers<void>();
    const files: typeof diskFiles = {
      ...diskFiles,
      async open(path, mode) {
        const file = await diskFiles.open(path, mode);
        const sync = async () => {
          // The first is that of the segment's header.
          if (++syncs === 2) await gate.promise;
          await file.sync();
        };
        return { ...file, sync };
      },
    };
    const ledger = await openLedgerOn(files, { dir });
    const appends = Array.from({ length: 100 }, (_, i) => ledger.append(`r${i}`).then(() => answered++));
    while (syncs < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answered, 0);
    assert.equal(ledger.last.seq, 0);
    gate.resolve();
    await Promise.all(appends);
    assert.equal(syncs, 2);
    await ledger.close();
  });

  test('a full batch and a flush do not wait for the group commit', async (t) => {
    const dir = await freshFolder(t);
    const ledger = await openLedger({ dir, groupCommitMs: 3_600_000, maxBatch: 10 });
    await Promise.all(Array.from({ length: 10 }, () => ledger.append('full')));
    await Promise.all(Array.from({ length: 10 }, () => ledger.append('full')));
    const waiting = [ledger.append('lone'), ledger.append('lone')];
    await ledger.flush();
    assert.equal(ledger.last.seq, 22);
    await Promise.all(waiting);
    const last = ledger.append('closed over');
    await ledger.close();
    assert.equal((await last).seq, 23);
  });

  test('what waits is bounded: past the bound an append is refused, and later accepted again', async (t) => {
    const dir = await freshFolder(t);
    const ledger = await openLedger({ dir, maxPendingBytes: 2000 });
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => ledger.append('x'.repeat(100))));
    const refused = answers.filter((answer) => answer.status === 'rejected');
    assert.equal(answers.length - refused.length, Math.floor(2000 / 192));
    for (const { reason } of refused) assert.equal(reason.code, 'CONFLICT');
    assert.equal((await ledger.append('again')).seq, 11);
    await ledger.close();
  });

  test('a caller may change its bytes after the call', async (t) => {
    const dir = await freshFolder(t);
    const ledger = await openLedger({ dir });
    const bytes = Buffer.from('before');
    const done = ledger.append(bytes);
    bytes.write('after!');
    await done;
    await ledger.close();
    assert.equal((await readAll(dir))[0]!.text, 'before');
  });

  test('refuses what is too large, and everything once it is closed', async (t) => {
    const dir = await freshFolder(t);
    const ledger = await openLedger({ dir, segmentBytes: 1000 });
    await assert.rejects(ledger.append(new Uint8Array(MAX_PAYLOAD_BYTES + 1)), { code: 'TOO_LARGE' });
    await ledger.append('y'.repeat(5000));
    await ledger.append('z');
    await ledger.close();
    await ledger.close();
    await assert.rejects(ledger.append('late'), { code: 'LEDGER_CLOSED' });
    assert.deepEqual(
      (await readAll(dir)).map(({ text }) => text.length),
      [5000, 1],
    );
    assert.equal((await listSegments(diskFiles, dir)).segments.length, 2);
  });

  test('a reader beside a live writer sees a growing, unbroken prefix', async (t) => {
    const dir = await freshFolder(t);
    const ledger = await openLedger({ dir, segmentBytes: 20_000, groupCommitMs: 0, maxBatch: 7 });
    let writing = true;
    const writer = (async () => {
      for (let i = 0; i < 60; i++)
        await Promise.all(Array.from({ length: 20 }, (_, k) => ledger.append(`${i}/${k}${'.'.repeat(150)}`)));
      writing = false;
    })();
    let seen = 0;
    while (writing) {
      let count = 0;
      for await (const { seq } of readLedger(dir, 1, 1e9)) assert.equal(seq, ++count);
      assert.ok(count >= seen);
      seen = count;
      const verdict = await verifyLedger(dir);
      assert.deepEqual(verdict.problems, []);
    }
    await writer;
    assert.equal((await readAll(dir)).length, 1200);
    await ledger.close();
  });

  test('a write that a live writer has not finished is waited for by verification, and left out by readers', async (t) => {
    const dir = await freshFolder(t);
    const half = Promise.withResolvers<void>();
    const rest = Promise.withResolvers<void>();
    let slow = false;
    const files: typeof diskFiles = {
      ...diskFiles,
      async open(path, mode) {
        const file = await diskFiles.open(path, mode);
        const write = async (bytes: Uint8Array, position: number) => {
          if (!slow) return file.write(bytes, position);
          slow = false;
          const wrote = await file.write(bytes.subarray(0, 50), position);
          half.resolve();
          await rest.promise;
          return wrote;
        };
        return { ...file, write };
      },
    };
    const ledger = await openLedgerOn(files, { dir });
    await ledger.append('whole');
    slow = true;
    const appended = ledger.append('in two parts');
    await half.promise;
    assert.equal((await readAll(dir)).length, 1);
    const looking: typeof diskFiles = {
      ...diskFiles,
      async open(path, mode) {
        const file = await diskFiles.open(path, mode);
        const size = async () => {
          // Asked only when a flaw was met: now the writer may go on.
          const bytes = await file.size();
          rest.resolve();
          return bytes;
        };
        return { ...file, size };
      },
    };
    const verdict = await verifyLedgerOn(looking, dir);
    await appended;
    assert.deepEqual([verdict.records, verdict.problems], [2, []]);
    await ledger.close();
  });

  test('a folder that is a file is refused with a code', async (t) => {
    const dir = await freshFolder(t);
    await assert.rejects(openLedger({ dir: join(process.execPath, 'ledger') }), { code: 'STORAGE_FAILED' });
    await assert.rejects(verifyLedger(join(dir, 'nowhere')), { code: 'STORAGE_FAILED' });
  });
});
