import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createStore, type KernelContext } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import type { AuditRecord } from './entry.ts';
import kernel from './kernel.ts';
import type { Receipt } from './recorder.ts';

const ENTRY = { actor: 'ada', action: 'open', resource: 'door', subsystem: 'house', outcome: 'ok' };

async function rigged(t: TestContext, config: Record<string, unknown> = {}): Promise<KernelRig> {
  const rig = await rigKernels([kernel], { config: { immutable_log: config } });
  t.after(() => rig.close());
  return rig;
}

const append = (rig: KernelRig, input: unknown) => rig.call('immutable_log', 'append', input) as Promise<Receipt>;
const search = async (rig: KernelRig, input: unknown) =>
  ((await rig.call('immutable_log', 'search', input)) as { entries: AuditRecord[] }).entries;
const ledgerDir = (rig: KernelRig) => join(rig.stateDir('immutable_log'), 'ledger');
const segment = async (rig: KernelRig) =>
  join(ledgerDir(rig), (await readdir(ledgerDir(rig))).find((name) => name.endsWith('.segment'))!);

describe('immutable_log', () => {
  test('appends a typed entry, and reads it back with who brought it', async (t) => {
    const rig = await rigged(t);
    const receipt = await append(rig, { ...ENTRY, payload: { angle: 90 } });
    const read = (await rig.call('immutable_log', 'read', { from: receipt.seq })) as {
      entries: AuditRecord[];
      next: null;
    };
    const { atMs, ...record } = read.entries[0]!;
    assert.ok(Math.abs(Date.now() - atMs) < 60_000);
    assert.deepEqual(record, { ...ENTRY, payload: { angle: 90 }, by: 'test', seq: receipt.seq, hash: receipt.hash });
    assert.equal(read.next, null);
  });

  test('an entry with a missing, unknown or unserialisable field is refused by name', async (t) => {
    const rig = await rigged(t);
    for (const field of Object.keys(ENTRY)) {
      const input: Record<string, unknown> = { ...ENTRY, [field]: undefined };
      await assert.rejects(append(rig, input), { code: 'BAD_INPUT', message: new RegExp(`input\\.${field}`) });
    }
    await assert.rejects(append(rig, { ...ENTRY, subsistem: 'x' }), { code: 'BAD_INPUT', message: /subsystem/ });
    await assert.rejects(append(rig, { ...ENTRY, payload: { big: 1n } }), { code: 'BAD_INPUT', message: /payload/ });
    await assert.rejects(append(rig, { ...ENTRY, payload: 'x'.repeat(300_000) }), { code: 'TOO_LARGE' });
    const status = (await rig.call('immutable_log', 'status')) as { last: { seq: number } };
    assert.equal(status.last.seq, 0);
  });

  test('a key is written once: at the same time, later, and after a restart; for other content it is refused', async (t) => {
    const rig = await rigged(t);
    const keyed = { ...ENTRY, idempotencyKey: 'k1' };
    const receipts = await Promise.all([append(rig, keyed), append(rig, keyed), append(rig, keyed)]);
    assert.deepEqual(
      receipts.map(({ seq, repeated }) => ({ seq, repeated })),
      [
        { seq: 1, repeated: false },
        { seq: 1, repeated: true },
        { seq: 1, repeated: true },
      ],
    );
    assert.equal(receipts[2]!.hash, receipts[0]!.hash);
    const isIndexed = async () =>
      ((await rig.call('immutable_log', 'status')) as { index: { behind: number } }).index.behind === 0;
    await poll('the index knows the key', isIndexed);
    assert.equal((await append(rig, keyed)).seq, 1);
    await rig.restart('immutable_log');
    assert.deepEqual(await append(rig, keyed), { ...receipts[0], repeated: true });
    await assert.rejects(append(rig, { ...keyed, outcome: 'failed' }), {
      code: 'CONFLICT',
      message: /idempotencyKey.*record 1/,
    });
    assert.equal((await append(rig, { ...keyed, actor: 'bob' })).seq, 2);
  });

  test('finds by every field, by time, by words of the payload; the newest first, in pages', async (t) => {
    const rig = await rigged(t);
    for (let i = 0; i < 30; i++) {
      const subsystem = i % 3 === 0 ? 'garden' : 'house';
      await append(rig, {
        ...ENTRY,
        actor: `a${i % 5}`,
        subsystem,
        resource: `r${i}`,
        payload: { note: `word${i % 7} "quoted" AND` },
      });
    }
    const seqs = async (terms: unknown) => (await search(rig, terms)).map(({ seq }) => seq);
    assert.deepEqual(await seqs({ actor: 'a1', subsystem: 'garden' }), [22, 7]);
    assert.deepEqual(await seqs({ resource: 'r3' }), [4]);
    assert.deepEqual(await seqs({ text: 'word6 "quoted"' }), [28, 21, 14, 7]);
    assert.deepEqual(await seqs({ text: 'AND nothing' }), []);
    assert.deepEqual(await seqs({ action: 'close' }), []);
    assert.deepEqual(await seqs({ toMs: 1 }), []);
    assert.equal((await seqs({ fromMs: 1 })).length, 30);
    assert.deepEqual(await seqs({ limit: 2 }), [30, 29]);
    assert.deepEqual(await seqs({ limit: 2, beforeSeq: 29 }), [28, 27]);
    await assert.rejects(search(rig, { actr: 'x' }), { code: 'BAD_INPUT', message: /actor/ });
  });

  test('keeps what is said on audit.>, under the principal that said it, once for each message', async (t) => {
    const rig = await rigged(t);
    const bus = rig.bus('librarian');
    await bus.publish('audit.librarian.files', { ...ENTRY, resource: 'book' }, { id: 'm1' });
    const [kept] = await poll('the message is kept', async () => {
      const found = await search(rig, { resource: 'book' });
      return found.length > 0 ? found : null;
    });
    assert.equal(kept!.by, 'librarian');
    // Its key is the message, so that the same message, brought again after a restart, is the same entry.
    const again = { ...ENTRY, resource: 'book', idempotencyKey: 'message m1 of librarian' };
    assert.deepEqual(await append(rig, again), { seq: kept!.seq, hash: kept!.hash, repeated: true });
    assert.deepEqual(((await bus.request('audit.librarian', { ...ENTRY, resource: 'page' })) as Receipt).seq, 2);
    await assert.rejects(bus.request('audit.librarian', { ...ENTRY, outcome: 7 }), { code: 'BAD_INPUT' });
    assert.equal((await search(rig, {})).length, 2);
  });

  test('the record and its index survive a restart; a torn tail is cut off, recorded and found', async (t) => {
    const rig = await rigged(t);
    for (let i = 0; i < 10; i++) await append(rig, { ...ENTRY, resource: `r${i}` });
    await rig.restart('immutable_log');
    assert.equal((await search(rig, { resource: 'r9' })).length, 1);
    // What a kill in the middle of a write leaves behind.
    const torn = (await readFile(await segment(rig))).subarray(64, 200);
    const path = await segment(rig);
    await rig.restart('immutable_log');
    await appendFile(path, torn);
    // The living writer does not look back; its successor does.
    await rig.restart('immutable_log');
    const status = (await rig.call('immutable_log', 'status')) as {
      recovered: { truncatedBytes: number };
      last: { seq: number };
    };
    assert.deepEqual([status.recovered.truncatedBytes, status.last.seq], [136, 11]);
    assert.equal((await search(rig, { subsystem: 'immutable_log', text: 'truncatedBytes' }))[0]!.seq, 11);
    assert.deepEqual(((await rig.call('immutable_log', 'verify')) as { ok: boolean; records: number }).records, 11);
  });

  test('an index that is lost, damaged or of another record is made again', async (t) => {
    let spoil = async (_stateDir: string): Promise<void> => undefined;
    const definition = {
      id: kernel.id,
      start: async (ctx: KernelContext) => {
        await spoil(ctx.stateDir);
        return kernel.start(ctx);
      },
    };
    const rig = await rigKernels([definition]);
    t.after(() => rig.close());
    const keyed = { ...ENTRY, idempotencyKey: 'once' };
    await Promise.all(Array.from({ length: 450 }, (_, i) => append(rig, { ...ENTRY, resource: `r${i}` })));
    const { seq } = await append(rig, keyed);
    await search(rig, { limit: 1 });
    const remove = async (dir: string) => {
      for (const suffix of ['', '-wal', '-shm']) await rm(join(dir, `store.sqlite${suffix}`), { force: true });
    };
    const spoilers: [string | null, (dir: string) => Promise<void>][] = [
      [null, remove],
      [
        'damaged',
        (dir) => writeFile(join(dir, 'store.sqlite'), 'no database, and long enough to look like one'.repeat(200)),
      ],
      [
        'not of this ledger',
        async (dir) => {
          const store = createStore(dir);
          store.set('indexed', { seq: 3, hash: 'f'.repeat(64) });
          store.close();
        },
      ],
    ];
    for (const [why, how] of spoilers) {
      spoil = how;
      await rig.restart('immutable_log');
      assert.equal((await append(rig, keyed)).seq, seq, `${why}`);
      assert.equal((await search(rig, { resource: 'r7' })).length, 1, `${why}`);
      const status = (await rig.call('immutable_log', 'status')) as { index: { rebuilt: string | null } };
      assert.equal(status.index.rebuilt, why);
    }
  });
});

/** Damage is held against the kernel at once. */
const UNREPAIRED = { repairGraceMs: 0 };

describe('the probe of immutable_log', () => {
  test('appends once and then reads its record again until the next append is due', async (t) => {
    const rig = await rigged(t);
    const first = await rig.probe('immutable_log');
    assert.equal(first['appended'], true);
    for (let i = 0; i < 5; i++) assert.deepEqual(await rig.probe('immutable_log'), { ...first, appended: false });
    const [record] = await search(rig, { subsystem: 'probe' });
    assert.equal(record!.seq, first['seq']);
    const eager = await rigged(t, { probeAppendEveryMs: 0 });
    await eager.probe('immutable_log');
    assert.equal((await eager.probe('immutable_log'))['seq'], 2);
  });

  test('fails when a byte of its record is changed on disk', async (t) => {
    const rig = await rigged(t, UNREPAIRED);
    await rig.probe('immutable_log');
    const path = await segment(rig);
    const bytes = await readFile(path);
    bytes[bytes.length - 40]! ^= 1;
    await writeFile(path, bytes);
    await assert.rejects(rig.probe('immutable_log'), { code: 'LEDGER_CORRUPT' });
  });

  test('fails when the end of the record is cut off under it', async (t) => {
    const rig = await rigged(t, UNREPAIRED);
    await rig.probe('immutable_log');
    await truncate(await segment(rig), 64);
    await assert.rejects(rig.probe('immutable_log'), { code: 'LEDGER_CORRUPT' });
    const verified = (await rig.call('immutable_log', 'verify')) as { ok: boolean; problems: { kind: string }[] };
    assert.deepEqual([verified.ok, verified.problems.map(({ kind }) => kind)], [false, ['cut-end']]);
  });

  test('fails when the folder is exchanged for an empty one, and can do its job again when it is back', async (t) => {
    const rig = await rigged(t);
    await rig.probe('immutable_log');
    await rename(ledgerDir(rig), `${ledgerDir(rig)}.aside`);
    await mkdir(ledgerDir(rig));
    await assert.rejects(rig.probe('immutable_log'), { code: 'STORAGE_FAILED' });
    await rm(ledgerDir(rig), { recursive: true });
    await rename(`${ledgerDir(rig)}.aside`, ledgerDir(rig));
    await rig.probe('immutable_log');
  });

  test('fails while the latest verification found damage in an older record', async (t) => {
    const rig = await rigged(t, UNREPAIRED);
    for (let i = 0; i < 5; i++) await append(rig, ENTRY);
    await rig.probe('immutable_log');
    const path = await segment(rig);
    const intact = await readFile(path);
    const bytes = Buffer.from(intact);
    bytes[64 + 70]! ^= 1;
    await writeFile(path, bytes);
    assert.equal(((await rig.call('immutable_log', 'verify')) as { ok: boolean }).ok, false);
    await assert.rejects(rig.probe('immutable_log'), { code: 'LEDGER_CORRUPT', message: /checksum/ });
    await writeFile(path, intact);
    assert.equal(((await rig.call('immutable_log', 'verify')) as { ok: boolean }).ok, true);
    await rig.probe('immutable_log');
  });
});
