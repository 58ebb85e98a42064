import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type AnyDraft, type AnyRecord, systemClock } from '@grace/contracts';
import { openLedger } from '@grace/ledger';
import { openJournal } from './journal.ts';

const WRITER = fileURLToPath(new URL('../../test/fixtures/journal-writer.mjs', import.meta.url));
const KILLS = 8;

function folder(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'grace-journal-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  // Something of it lies beside it.
  return join(root, 'journal');
}

const lag = (lagMs: number): AnyDraft => ({ name: 'system:lag', data: { lagMs } });
const boot = (pid: number): AnyDraft => ({
  name: 'system:boot',
  data: {
    pid,
    version: '1',
    node: '26',
    cores: 2,
    armed: false,
    kernels: [],
    safeguards: { heartbeatDetector: true, mute: true, restartEngine: true },
  },
});

test(`what a follower has seen is in the journal after each of ${KILLS} kills, and numbers go on without gap or reuse`, async (t) => {
  const dir = folder(t);
  const seen: AnyRecord[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const until = Math.ceil(Math.random() * 500);
    const child = spawn(process.execPath, [WRITER, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.split('\n', until + 1).length > until) child.kill('SIGKILL');
    });
    const [, signal] = await once(child, 'close');
    assert.equal(signal, 'SIGKILL');
    for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n')) seen.push(JSON.parse(line) as AnyRecord);
  }
  const journal = await openJournal(dir, systemClock);
  t.after(() => journal.close());
  const records = await journal.read(0, Number.MAX_SAFE_INTEGER);
  assert.deepEqual(
    records.map(({ seq }) => seq),
    Array.from(records, (_, i) => i + 1),
  );
  for (const record of seen) assert.deepEqual(records[record.seq - 1], record);
  assert.equal(journal.append(lag(1)).seq, records.length + 1);
});

test('that is damaged is sealed at open: what is whole stays readable, and no number is given again', async (t) => {
  const dir = folder(t);
  const home = join(dir, 'journal');
  const first = await openJournal(home, systemClock);
  first.append(boot(1));
  for (let n = 0; n < 50; n++) first.append(lag(n));
  await first.close();
  const segment = join(home, readdirSync(home).find((name) => name.endsWith('.segment'))!);
  const bytes = readFileSync(segment);
  bytes[bytes.length - 60]! ^= 1;
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(segment, bytes);
  const journal = await openJournal(home, systemClock);
  t.after(() => journal.close());
  assert.equal(journal.repaired?.action, 'sealed');
  const seqs = (await journal.read(0, 1000)).map(({ seq }) => seq);
  assert.equal(seqs.length, 49);
  assert.ok(!seqs.includes(51));
  assert.equal(journal.append(lag(0)).seq, 52);
});

test('that is damaged in an older segment near its end is sealed as well', async (t) => {
  const dir = folder(t);
  const ledger = await openLedger({ dir, segmentBytes: 1000 });
  for (let seq = 1; seq <= 21; seq++) {
    await ledger.append(JSON.stringify({ seq, wallMs: 1, monoMs: 1, ...lag(seq) }));
  }
  await ledger.close();
  const segments = readdirSync(dir).filter((name) => name.endsWith('.segment'));
  const older = join(dir, segments.sort().at(-2)!);
  const bytes = readFileSync(older);
  bytes[bytes.length - 60]! ^= 1;
  writeFileSync(older, bytes);
  const journal = await openJournal(dir, systemClock);
  t.after(() => journal.close());
  assert.equal(journal.repaired?.action, 'sealed');
  assert.equal(journal.append(lag(0)).seq, 22);
});

test('that is set back to an older copy is known as such by what lies beside it', async (t) => {
  const dir = folder(t);
  const home = join(dir, 'journal');
  const first = await openJournal(home, systemClock);
  for (let n = 0; n < 5; n++) first.append(lag(n));
  await first.close();
  cpSync(home, join(dir, 'copy'), { recursive: true });
  const second = await openJournal(home, systemClock);
  for (let n = 0; n < 5; n++) second.append(lag(n));
  await second.close();
  rmSync(home, { recursive: true });
  renameSync(join(dir, 'copy'), home);
  const journal = await openJournal(home, systemClock);
  t.after(() => journal.close());
  assert.deepEqual(
    journal.repaired?.problems.map(({ kind }) => kind),
    ['rolled-back'],
  );
  assert.equal(journal.append(lag(0)).seq, 11);
});

test('since the boot is read back from the last one, however long ago it was', async (t) => {
  const dir = folder(t);
  const first = await openJournal(dir, systemClock);
  assert.deepEqual(await first.sinceBoot(), []);
  first.append(boot(1));
  first.append(lag(0));
  first.append(boot(2));
  for (let n = 0; n < 12_000; n++) first.append(lag(n));
  await first.close();
  const journal = await openJournal(dir, systemClock);
  t.after(() => journal.close());
  const records = await journal.sinceBoot();
  assert.equal(records.length, 12_001);
  assert.ok(records[0]?.name === 'system:boot' && records[0].data.pid === 2);
  assert.equal(records.at(-1)?.seq, 12_003);
});

/** Bytes that this process has read from files and pipes. */
const readBytes = () => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

test('pages of what memory holds no more are those that were appended, and are not read from the start each time', async (t) => {
  const dir = folder(t);
  const first = await openJournal(dir, systemClock);
  const written = Array.from({ length: 26_000 }, (_, n) => first.append(lag(n)));
  assert.deepEqual(await first.read(500, 40), written.slice(500, 540));
  await first.close();
  const journal = await openJournal(dir, systemClock);
  t.after(() => journal.close());
  for (let after = 0; after < written.length; after += 5000) {
    assert.deepEqual(await journal.read(after, 5000), written.slice(after, after + 5000));
  }
  const sizes = readdirSync(dir).map((name) => statSync(join(dir, name)).size);
  const before = readBytes();
  for (let page = 0; page < 10; page++) await journal.read(20_000 + page * 100, 100);
  const perPage = (readBytes() - before) / 10;
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(perPage < whole / 8, `${perPage} bytes of ${whole} were read for a page`);
});
