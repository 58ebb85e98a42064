import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createSlot, SLOT } from '@grace/contracts';
import { poll } from '../../test/bed.ts';
import { readThreadId, startHeartbeat } from './heartbeat.ts';

const PERIOD_MS = 5;
const FAULTY = new URL('../../test/fixtures/faulty-thread.ts', import.meta.url);

/** Resolves when a timer of the same period has gone off this often. */
async function periods(count: number): Promise<void> {
  let turns = 0;
  const timer = setInterval(() => turns++, PERIOD_MS);
  await poll(`${count} periods are over`, () => turns >= count);
  clearInterval(timer);
}

test('the slot is stamped at once and then in each period, with the monotonic time', async () => {
  const slot = createSlot();
  const before = process.hrtime.bigint();
  const end = startHeartbeat(slot, PERIOD_MS, () => false);
  const first = slot[SLOT.heartbeatNs]!;
  assert.ok(first >= before && first <= process.hrtime.bigint());
  assert.equal(slot[SLOT.beats], 1n);
  await poll('five beats', () => slot[SLOT.beats]! >= 5n);
  assert.ok(slot[SLOT.heartbeatNs]! > first);
  end();
});

test('a paused heartbeat does not stamp, and goes on by itself when the pause is over', async () => {
  const slot = createSlot();
  let paused = true;
  const end = startHeartbeat(slot, PERIOD_MS, () => paused);
  await periods(5);
  assert.deepEqual([slot[SLOT.beats], slot[SLOT.heartbeatNs]], [0n, 0n]);
  paused = false;
  await poll('it beats again', () => slot[SLOT.beats]! > 0n);
  end();
});

test('a heartbeat that was ended does not stamp', async () => {
  const slot = createSlot();
  startHeartbeat(slot, PERIOD_MS, () => false)();
  await periods(5);
  assert.equal(slot[SLOT.beats], 1n);
});

test('each thread reads the id the system gave it', async (t) => {
  const worker = new Worker(FAULTY, { workerData: createSlot().buffer });
  t.after(() => worker.terminate());
  const other = await new Promise<number>((resolve) => worker.once('message', ({ tid }) => resolve(tid)));
  assert.equal(readThreadId(), process.pid);
  assert.notEqual(other, process.pid);
  assert.ok(readdirSync('/proc/self/task').includes(String(other)));
});
