import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freshFolder } from '../test/folder.ts';
import { readAll } from '../test/records.ts';
import { openLedger, verifyLedger } from './index.ts';

const APPENDER = fileURLToPath(new URL('../test/appender.ts', import.meta.url));
/** Thousands by command: `GRACE_KILLS=5000`. */
const KILLS = Number(process.env['GRACE_KILLS'] ?? 32);

test(`${KILLS} times kill -9 while appending: no acknowledged record is lost, and the ledger verifies`, (t) =>
  killAgainAndAgain(t, 'acknowledged'));

test(`${KILLS} times kill -9 while writing through: no record whose append has returned is lost`, (t) =>
  killAgainAndAgain(t, 'returned'));

async function killAgainAndAgain(t: TestContext, told: 'acknowledged' | 'returned'): Promise<void> {
  const dir = await freshFolder(t);
  const acknowledged = new Map<number, string>();
  for (let kill = 0; kill < KILLS; kill++) {
    // Random, so that the kill meets every stage: between two writes, in one, in a sync, in the making of a segment.
    const until = Math.floor(Math.random() * 400) + 1;
    const lines = await appendUntilKilled(dir, `run${kill}`, until, told);
    assert.ok(lines.length >= until);
    for (const line of lines) {
      const [seq, hash, text] = line.split(' ') as [string, string, string];
      assert.ok(!acknowledged.has(Number(seq)), `seq ${seq} was given twice`);
      acknowledged.set(Number(seq), `${hash} ${text}`);
    }
  }
  const ledger = await openLedger({ dir });
  await ledger.close();
  const found = new Map((await readAll(dir)).map(({ seq, hash, text }) => [seq, `${hash} ${text}`]));
  for (const [seq, record] of acknowledged) assert.equal(found.get(seq), record, `record ${seq}`);
  assert.deepEqual((await verifyLedger(dir)).problems, []);
}

/** Lines the child wrote whole before SIGKILL met it, some way behind the line number `until`. */
async function appendUntilKilled(dir: string, prefix: string, until: number, told: string): Promise<string[]> {
  const child = spawn(process.execPath, [APPENDER, dir, prefix, told], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let lines = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    lines += chunk.split('\n').length - 1;
    if (lines >= until) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL');
  return text.slice(0, text.lastIndexOf('\n')).split('\n');
}
