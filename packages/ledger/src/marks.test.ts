import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { freshFolder } from '../test/folder.ts';
import { diskFiles, type FileLayer } from './files.ts';
import { type Ledger, type LedgerRecord, openLedger, readLedger } from './index.ts';
import { openLedgerOn } from './ledger.ts';
import { listSegments } from './segments.ts';

type Step =
  | { do: 'append'; count: number; bytes: number }
  | { do: 'read'; at: number; limit: number }
  | { do: 'reopen' }
  | { do: 'damage'; segment: number; byte: number };

const share = fc.double({ min: 0, max: 0.999, noNaN: true });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('append'), count: fc.nat(39), bytes: fc.nat(9000) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('read'), at: share, limit: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen') }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('damage'), segment: share, byte: share }) },
  ) as fc.Arbitrary<Step>,
  { minLength: 8, maxLength: 20 },
);

const grown: Step[] = [
  { do: 'append', count: 39, bytes: 8000 },
  { do: 'read', at: 0.7, limit: 30 },
];
/** A damaged header can be made again; a damaged record without a mirror is lost. */
const RESTORED: [Step[], number, boolean] = [
  [...grown, { do: 'damage', segment: 0, byte: 0 }, ...grown],
  150_000,
  true,
];
const SEALED: [Step[], number, boolean] = [
  [...grown, { do: 'damage', segment: 0, byte: 0.5 }, ...grown],
  900_000,
  false,
];

async function collect(records: AsyncIterable<LedgerRecord>): Promise<LedgerRecord[]> {
  const found: LedgerRecord[] = [];
  for await (const record of records) found.push(record);
  return found;
}

async function append(ledger: Ledger, count: number, bytes: number): Promise<void> {
  const first = ledger.last.seq + 1;
  await Promise.all(Array.from({ length: count }, (_, i) => ledger.append(`${first + i} `.padEnd(bytes, '.'))));
}

/** Flips a byte of a segment; which of them, is a share of all. */
async function spoil(dir: string, segment: number, byte: number): Promise<void> {
  const { segments } = await listSegments(diskFiles, dir);
  const { path } = segments[Math.floor(segment * segments.length)]!;
  const bytes = await readFile(path);
  bytes[Math.floor(byte * bytes.length)]! ^= 0x20;
  await writeFile(path, bytes);
}

const PAGE = 29;

/** Compares a page with what a walk from the first record finds there. */
async function expectSame(ledger: Ledger, dir: string, from: number, limit: number): Promise<void> {
  const scanned = await collect(readLedger(dir, 1, from + limit - 1));
  assert.deepEqual(
    await collect(ledger.read(from, limit)),
    scanned.filter(({ seq }) => seq >= from),
  );
}

async function expectSameAfter(t: TestContext, all: readonly Step[], segmentBytes: number, mirrored: boolean) {
  const root = await freshFolder(t);
  const dir = join(root, 'ledger');
  const mirror = mirrored ? join(root, 'mirror') : undefined;
  const open = () => openLedger({ dir, mirror, segmentBytes, sync: false, onDamage: 'repair' });
  let ledger = await open();
  const actions = new Set<string>();
  try {
    for (const one of all) {
      if (one.do === 'append') await append(ledger, one.count, one.bytes);
      if (one.do === 'read') await expectSame(ledger, dir, 1 + Math.floor(one.at * ledger.last.seq), one.limit);
      if (one.do === 'reopen') {
        await ledger.close();
        ledger = await open();
      }
      if (one.do === 'damage' && ledger.last.seq > 0) {
        await spoil(dir, one.segment, one.byte);
        actions.add((await ledger.repair({ by: 'the test', reason: 'a byte was flipped' })).action);
      }
    }
    const scanned = await collect(readLedger(dir, 1, ledger.last.seq));
    for (let from = 1; from <= ledger.last.seq; from += PAGE) {
      const page = scanned.filter(({ seq }) => seq >= from && seq < from + PAGE);
      assert.deepEqual(await collect(ledger.read(from, PAGE)), page);
    }
  } finally {
    await ledger.close();
  }
  return actions;
}

/** Counts what is read of segments. */
function counting(): { files: FileLayer; bytes: number } {
  const counter = { bytes: 0, files: diskFiles };
  counter.files = {
    ...diskFiles,
    async open(path, mode) {
      const file = await diskFiles.open(path, mode);
      const read: typeof file.read = async (into, offset, position) => {
        const got = await file.read(into, offset, position);
        counter.bytes += got;
        return got;
      };
      return { ...file, read };
    },
  };
  return counter;
}

describe('a page of a ledger, read from the nearest known place', () => {
  test('is what a walk from the first record finds, after rotation, reopening, damage, restoration and sealing', async (t) => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.integer({ min: 500, max: 900_000 }),
        fc.boolean(),
        async (all, segmentBytes, mirrored) => {
          for (const action of await expectSameAfter(t, all, segmentBytes, mirrored)) seen.add(action);
        },
      ),
      { numRuns: 7, endOnFailure: true, examples: [RESTORED, SEALED] },
    );
    assert.ok(seen.has('restored') && seen.has('sealed'), [...seen].join());
  });

  test('costs the bytes near it, not those of its segment: in the newest, in an older one, in a sealed epoch', async (t) => {
    const dir = join(await freshFolder(t), 'ledger');
    const written = await openLedger({ dir, segmentBytes: 3_000_000, maxPendingBytes: 1e9, sync: false });
    await append(written, 9000, 900);
    await written.repair({
      by: 'the test',
      reason: 'the tree is another',
      problems: [{ kind: 'link', segment: '', offset: 0, message: 'planted' }],
    });
    await append(written, 9000, 900);
    await written.close();
    const counter = counting();
    const ledger = await openLedgerOn(counter.files, { dir, segmentBytes: 3_000_000 });
    t.after(() => ledger.close());
    assert.equal(ledger.epoch.number, 2);
    const bytesOf = async (from: number) => {
      counter.bytes = 0;
      assert.equal((await collect(ledger.read(from, 20)))[0]!.seq, from);
      return counter.bytes;
    };
    const ends = [2700, 5500, 11_600, 17_900];
    // What was written by another is known once it has been read.
    const first = [];
    for (const from of ends) first.push(await bytesOf(from));
    assert.ok(Math.max(...first) > 2_000_000, first.join());
    for (const from of ends) {
      const bytes = await bytesOf(from);
      assert.ok(bytes < 400_000, `${bytes} bytes were read for 20 records from ${from} on`);
    }
  });
});
