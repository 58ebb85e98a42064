import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createSlot, SLOT, THREAD_FAULTS, type ThreadFault } from '@grace/contracts';
import { poll } from '../../test/bed.ts';

const FAULTY = new URL('../../test/fixtures/faulty-thread.ts', import.meta.url);
const FOR_LONG_NS = 600_000_000_000n;

/** A real thread with a fault switch, and the slot through which this one holds its lease. */
async function openThread(t: TestContext) {
  const slot = createSlot();
  const worker = new Worker(FAULTY, { workerData: slot.buffer });
  t.after(() => worker.terminate());
  const [{ tid }] = (await once(worker, 'message')) as [{ tid: number }];
  const pongs: { pong: boolean }[] = [];
  worker.on('message', (message) => pongs.push(message));
  return {
    slot,
    worker,
    pongs,
    lease: () => Atomics.store(slot, SLOT.faultUntilNs, process.hrtime.bigint() + FOR_LONG_NS),
    end: () => Atomics.store(slot, SLOT.faultUntilNs, 0n),
    bit: () => Atomics.load(slot, SLOT.faultBitNs) > 0n,
    apply: (fault: ThreadFault) => worker.postMessage(fault),
    ping: async (): Promise<{ pong: boolean }> => {
      const seen = pongs.length;
      worker.postMessage('ping');
      return await poll('the thread answers', () => pongs[seen]);
    },
    cpuTicks(): number {
      const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[11]) + Number(fields[12]);
    },
  };
}

for (const fault of THREAD_FAULTS) {
  test(`${fault} without a lease, or after it has lapsed, does nothing`, async (t) => {
    const thread = await openThread(t);
    thread.apply(fault);
    assert.deepEqual(await thread.ping(), { pong: false });
    Atomics.store(thread.slot, SLOT.faultUntilNs, process.hrtime.bigint() - 1n);
    thread.apply(fault);
    assert.deepEqual(await thread.ping(), { pong: false });
    assert.equal(thread.bit(), false);
  });
}

test('a paused heartbeat is over when the slot says so, and does not come back with the next lease', async (t) => {
  const thread = await openThread(t);
  thread.lease();
  thread.apply('heartbeat_pause');
  assert.deepEqual(await thread.ping(), { pong: true });
  assert.equal(thread.bit(), true);
  thread.end();
  assert.deepEqual(await thread.ping(), { pong: false });
  thread.lease();
  assert.deepEqual(await thread.ping(), { pong: false });
});

test('a thread that spins hears nothing and burns CPU until another thread sets its slot to 0, then it goes on', async (t) => {
  const thread = await openThread(t);
  thread.lease();
  thread.apply('cpu_spin');
  await poll('the fault acts', thread.bit);
  const before = thread.cpuTicks();
  thread.worker.postMessage('ping');
  await poll('it has burnt 100 ms of CPU', () => thread.cpuTicks() >= before + 10);
  assert.deepEqual(thread.pongs, []);
  thread.end();
  await poll('it answers', () => thread.pongs.length === 1);
});

test('a spin ends by itself when its lease is not renewed', async (t) => {
  const thread = await openThread(t);
  Atomics.store(thread.slot, SLOT.faultUntilNs, process.hrtime.bigint() + 2_000_000_000n);
  thread.apply('cpu_spin');
  await poll('the fault acts', thread.bit);
  assert.deepEqual(await thread.ping(), { pong: false });
  assert.ok(process.hrtime.bigint() >= Atomics.load(thread.slot, SLOT.faultUntilNs));
});

test('an uncaught error ends the thread with what was thrown', async (t) => {
  const thread = await openThread(t);
  const failed = Promise.withResolvers<Error>();
  const ended = Promise.withResolvers<number>();
  thread.worker.on('error', failed.resolve).on('exit', ended.resolve);
  thread.lease();
  thread.apply('uncaught_throw');
  assert.match((await failed.promise).message, /drill: uncaught error/);
  assert.equal(await ended.promise, 1);
  assert.equal(thread.bit(), true);
});

test('an exit ends the thread with code 7 and leaves the process alone', async (t) => {
  const thread = await openThread(t);
  const ended = once(thread.worker, 'exit');
  thread.lease();
  thread.apply('process_exit');
  assert.deepEqual(await ended, [7]);
  assert.equal(thread.bit(), true);
});
