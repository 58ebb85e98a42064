import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createSlot, SLOT, THREAD_FAULTS, type ThreadFault } from '@grace/contracts';
import { folder, poll } from '../../test/bed.ts';

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
    apply: (fault: ThreadFault, params: Record<string, unknown> = {}) => worker.postMessage({ fault, params }),
    ping: async (): Promise<{ pong: boolean }> => {
      const seen = pongs.length;
      worker.postMessage('ping');
      return await poll('the thread answers', () => pongs[seen]);
    },
    cpuTicks(): number {
      const fields = statOf(tid);
      return Number(fields[11]) + Number(fields[12]);
    },
    state: () => statOf(tid)[0],
  };
}

function statOf(tid: number): string[] {
  const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

type FaultyThread = Awaited<ReturnType<typeof openThread>>;

/** Sent a message, it neither answers nor burns CPU over a stretch of 200 ms. */
async function hearsNothing(thread: FaultyThread): Promise<void> {
  await poll('it sleeps', () => thread.state() === 'S');
  thread.worker.postMessage('ping');
  const before = thread.cpuTicks();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(thread.cpuTicks() - before <= 2);
  assert.deepEqual(thread.pongs, []);
}

const holdsBytes = (worker: Worker) =>
  worker.getHeapStatistics().then(({ used_heap_size, external_memory }) => ({ used_heap_size, external_memory }));

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

test('a catastrophic regular expression burns CPU in one turn for as long as its lease, and then the thread goes on', async (t) => {
  const thread = await openThread(t);
  thread.lease();
  thread.apply('catastrophic_regex');
  await poll('the fault acts', thread.bit);
  const before = thread.cpuTicks();
  thread.worker.postMessage('ping');
  await poll('it has burnt 500 ms of CPU', () => thread.cpuTicks() >= before + 50);
  assert.deepEqual(thread.pongs, []);
  thread.end();
  await poll('it answers', () => thread.pongs.length === 1);
});

test('a thread that waits on shared memory sleeps until its lease is over', async (t) => {
  const thread = await openThread(t);
  thread.lease();
  thread.apply('atomics_wait');
  await poll('the fault acts', thread.bit);
  await hearsNothing(thread);
  thread.end();
  await poll('it answers', () => thread.pongs.length === 1);
});

test('a thread that reads from a silent pipe cannot be ended, and goes on when somebody writes', async (t) => {
  const path = join(folder(t), 'fifo');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR);
  t.after(() => closeSync(fd));
  const thread = await openThread(t);
  thread.lease();
  thread.apply('fifo_read', { fd });
  await poll('the fault acts', thread.bit);
  await hearsNothing(thread);
  const ended = thread.worker.terminate().then(() => true);
  const isEnded = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 300, false))]);
  writeSync(fd, '.');
  assert.equal(isEnded, false, 'terminate() returned while the thread sat in the read');
  await ended;
});

test('a storm of immediates burns CPU while messages are answered, and ends with its lease', async (t) => {
  const thread = await openThread(t);
  thread.lease();
  thread.apply('cpu_storm');
  await poll('the fault acts', thread.bit);
  const before = thread.cpuTicks();
  await poll('it has burnt 300 ms of CPU', () => thread.cpuTicks() >= before + 30);
  assert.deepEqual(await thread.ping(), { pong: false });
  thread.end();
  await thread.ping();
  await poll('it is at rest', async () => {
    const from = thread.cpuTicks();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return thread.cpuTicks() - from <= 2;
  });
});

for (const [fault, kind] of [
  ['heap_leak', 'used_heap_size'],
  ['external_leak', 'external_memory'],
] as const) {
  test(`${fault} grows to what it may and no further, answers meanwhile, and gives everything back when its lease is over`, async (t) => {
    const thread = await openThread(t);
    const maxBytes = 64e6;
    const before = (await holdsBytes(thread.worker))[kind];
    const grownBytes = async () => (await holdsBytes(thread.worker))[kind] - before;
    thread.lease();
    thread.apply(fault, { bytesPerSecond: 400e6, maxBytes });
    await poll('it holds nearly all it may', async () => (await grownBytes()) > maxBytes * 0.95);
    assert.deepEqual(await thread.ping(), { pong: false });
    assert.ok((await grownBytes()) < maxBytes * 1.2);
    thread.end();
    await poll('the memory can be collected', async () => {
      // V8 does not clean a heap in which nothing happens.
      thread.worker.postMessage('collect');
      return (await grownBytes()) < maxBytes * 0.2;
    });
  });
}

/** A folder with one segment, in which one record stands whole. */
function ledgerFolder(t: TestContext): { folder: string; whole: Buffer; read: () => Buffer } {
  const dir = folder(t);
  const path = join(dir, '0000000000000001.segment');
  const whole = Buffer.alloc(64 + 100, 7);
  whole.writeUInt32LE(8, 64 + 4);
  writeFileSync(path, whole);
  return { folder: dir, whole, read: () => readFileSync(path) };
}

test('a torn write leaves the beginning of a record at the end of the newest segment, and ends the thread', async (t) => {
  const thread = await openThread(t);
  const ledger = ledgerFolder(t);
  const ended = once(thread.worker, 'exit');
  thread.lease();
  thread.apply('torn_write', { folder: ledger.folder });
  assert.deepEqual(await ended, [7]);
  const torn = ledger.read();
  assert.deepEqual(torn.subarray(0, ledger.whole.length), ledger.whole);
  const tail = torn.subarray(ledger.whole.length);
  assert.ok(tail.length > 60 && tail.length < 92 + tail.readUInt32LE(4), `${tail.length} bytes`);
});

test('a torn write whose lease is over before the thread dies is taken back, and the thread goes on', async (t) => {
  const thread = await openThread(t);
  const ledger = ledgerFolder(t);
  thread.lease();
  thread.apply('torn_write', { folder: ledger.folder });
  await poll('it is on the disk', () => ledger.read().length > ledger.whole.length);
  thread.end();
  await thread.ping();
  assert.deepEqual(ledger.read(), ledger.whole);
});

test('one huge allocation is answered by V8 with the end of the whole process', async (t) => {
  const victim = fileURLToPath(new URL('../../test/fixtures/huge-allocation.ts', import.meta.url));
  // In a folder of its own: where dumps are kept, this one leaves one.
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', victim], {
    cwd: folder(t),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  const [code, signal] = await once(child, 'exit');
  assert.equal(signal, 'SIGABRT', `code ${code}: ${said}`);
  assert.match(said, /FATAL ERROR: .*heap out of memory/);
});
