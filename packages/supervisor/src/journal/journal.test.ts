import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type AnyDraft, type AnyRecord, systemClock } from '@grace/contracts';
import { openJournal } from './journal.ts';

const WRITER = fileURLToPath(new URL('../../test/fixtures/journal-writer.mjs', import.meta.url));
const KILLS = 8;

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'grace-journal-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
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
