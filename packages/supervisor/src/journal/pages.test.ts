import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { type Ledger, openLedger, readLedger } from '@grace/ledger';
import fc from 'fast-check';
import { Pages, parseRecord } from './pages.ts';

function folder(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'grace-pages-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return join(root, 'journal');
}

const entryOf = (seq: number) =>
  JSON.stringify({ seq, name: 'system:lag', wallMs: 1, monoMs: 1, data: { lagMs: seq } });

async function scan(dir: string): Promise<AnyRecord[]> {
  const records: AnyRecord[] = [];
  for await (const { payload } of readLedger(dir, 1, 1e9)) records.push(...[parseRecord(payload) ?? []].flat());
  return records;
}

/** The ledger, and how many entries were taken from it. */
function counted(ledger: Ledger): { ledger: Pick<Ledger, 'read' | 'last'>; entries: number } {
  const counter = { entries: 0, ledger: ledger as Pick<Ledger, 'read' | 'last'> };
  counter.ledger = {
    get last() {
      return ledger.last;
    },
    async *read(from, limit) {
      for await (const entry of ledger.read(from, limit)) {
        counter.entries++;
        yield entry;
      }
    },
  };
  return counter;
}

type Step =
  | { do: 'records'; count: number; refusedBefore: number }
  | { do: 'own'; count: number }
  | { do: 'damage'; segment: number; byte: number };

const share = fc.double({ min: 0, max: 0.999, noNaN: true });
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('records'), count: fc.nat(700), refusedBefore: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('own'), count: fc.nat(300) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('damage'), segment: share, byte: share }) },
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 8 },
);

test('a page is what a walk over the whole journal finds: among refused, lost and foreign entries, rotated, damaged and repaired', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.integer({ min: 2000, max: 60_000 }),
      fc.array(fc.tuple(share, fc.nat(80)), { minLength: 5, maxLength: 12 }),
      fc.boolean(),
      async (all, segmentBytes, wanted, knowsAppended) => {
        const dir = folder(t);
        const open = () => openLedger({ dir, segmentBytes, sync: false, writeThrough: true, onDamage: 'repair' });
        let ledger = await open();
        let pages = new Pages(ledger);
        let seq = 0;
        try {
          for (const one of all) {
            if (one.do === 'records') {
              seq += one.refusedBefore;
              for (let i = 0; i < one.count; i++) {
                void ledger.append(entryOf(++seq));
                if (knowsAppended) pages.note(seq, ledger.last.seq);
              }
            }
            if (one.do === 'own') for (let i = 0; i < one.count; i++) void ledger.append('{"of":"the ledger"}');
            if (one.do === 'damage') {
              await ledger.close();
              const names = readdirSync(dir)
                .filter((name) => name.endsWith('.segment'))
                .sort();
              const path = join(dir, names[Math.floor(one.segment * names.length)] ?? 'none');
              if (names.length > 0) {
                const bytes = readFileSync(path);
                bytes[Math.floor(one.byte * bytes.length)]! ^= 0x20;
                writeFileSync(path, bytes);
              }
              ledger = await open();
              pages = new Pages(ledger);
            }
          }
          await ledger.flush();
          const whole = await scan(dir).catch(() => null);
          // Damage to an older segment is not the start's to find.
          if (!whole) return;
          for (const [at, limit] of wanted) {
            const after = Math.floor(at * (seq + 3));
            const page = whole.filter((record) => record.seq > after).slice(0, limit);
            assert.deepEqual(await pages.read(after, limit), page, `after ${after}, ${limit}`);
          }
        } finally {
          await ledger.close();
        }
      },
    ),
    { numRuns: 8, endOnFailure: true },
  );
});

test('a page costs the entries near it: known from the append, found between two that are known, or passed before', async (t) => {
  const dir = folder(t);
  const ledger = await openLedger({ dir, segmentBytes: 500_000, sync: false, writeThrough: true });
  t.after(() => ledger.close());
  const known = counted(ledger);
  const appended = new Pages(known.ledger);
  // Numbers and entries drift apart, in both directions.
  let seq = 0;
  for (let i = 0; i < 20_000; i++) {
    if (i % 1500 === 0) seq += 7;
    if (i % 400 === 0) void ledger.append('{"of":"the ledger"}');
    void ledger.append(entryOf(++seq));
    appended.note(seq, ledger.last.seq);
  }
  const cold = counted(ledger);
  const found = new Pages(cold.ledger);
  for (const [pages, counter] of [
    [appended, known],
    [found, cold],
  ] as const) {
    for (const after of [15_000, 19_000, 3000, 15_100, 0]) {
      counter.entries = 0;
      assert.equal((await pages.read(after, 100)).length, 100);
      assert.ok(counter.entries < 500, `${counter.entries} entries were read for 100 records after ${after}`);
    }
  }
});

test('damage elsewhere hides no page that is whole', async (t) => {
  const dir = folder(t);
  const written = await openLedger({ dir, segmentBytes: 20_000, sync: false, writeThrough: true });
  // So many that the search goes through the middle.
  for (let own = 0; own < 300; own++) void written.append('{"of":"the ledger"}');
  for (let seq = 1; seq <= 3000; seq++) void written.append(entryOf(seq));
  await written.close();
  const names = readdirSync(dir)
    .filter((name) => name.endsWith('.segment'))
    .sort();
  const middle = names[names.length >> 1]!;
  const bytes = readFileSync(join(dir, middle));
  bytes[200]! ^= 1;
  writeFileSync(join(dir, middle), bytes);
  const ledger = await openLedger({ dir, segmentBytes: 20_000, sync: false, writeThrough: true });
  t.after(() => ledger.close());
  const damaged = Number(middle.split('.')[0]) - 300;
  for (let after = 0; after < damaged - 101; after += 50) {
    assert.equal((await new Pages(ledger).read(after, 50)).at(-1)?.seq, after + 50);
  }
  await assert.rejects(new Pages(ledger).read(damaged, 300), { code: 'LEDGER_CORRUPT' });
});
