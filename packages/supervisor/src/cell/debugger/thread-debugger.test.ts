import assert from 'node:assert/strict';
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GraceError } from '@grace/contracts';
import { type ThreadHandle, within } from '../thread-handle.ts';
import { BUSY_THREAD, busyThread, debuggerFor, lineOf } from './fixtures/rig.ts';

/** Of a test, not of the product: the machine may be full. */
const DEADLINE_MS = 10_000;

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'grace-debugger-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

describe('the stack of a stuck thread', () => {
  test('names the loop and its line, and the thread runs on', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('spin');
    await thread.burns();
    const { frames, ms } = await threads.stackOf(thread.handle, DEADLINE_MS);
    const [top, next] = frames;
    assert.equal(top?.function, 'spinHere');
    assert.equal(top?.file, BUSY_THREAD);
    assert.ok(Math.abs(top!.line - lineOf(BUSY_THREAD, 'the line that burns')) <= 1, `line ${top!.line}`);
    assert.equal(next?.file, BUSY_THREAD);
    assert.ok(ms > 0);
    assert.ok(await thread.burns());
  });

  test('names a regular expression that backtracks: it looks for orders while it does', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('regex');
    await thread.burns();
    const { frames } = await threads.stackOf(thread.handle, DEADLINE_MS);
    assert.equal(frames[0]?.function, 'regex');
    assert.equal(frames[0]?.line, lineOf(BUSY_THREAD, 'the line that backtracks'));
    assert.ok(await thread.burns());
  });

  test('names Atomics.wait, and does not end the wait', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('wait', '', 3000);
    await sleep(50);
    const { frames } = await threads.stackOf(thread.handle, DEADLINE_MS);
    assert.equal(frames[0]?.function, 'wait');
    const done = thread.says('done wait');
    assert.equal(await Promise.race([done.then(() => 'done'), sleep(200, 'waits')]), 'waits');
    await done;
  });

  test('names a microtask loop', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('microtasks');
    await thread.burns();
    const { frames } = await threads.stackOf(thread.handle, DEADLINE_MS);
    assert.ok(
      frames.some((frame) => frame.function === 'settleForEver' || frame.file === BUSY_THREAD),
      JSON.stringify(frames),
    );
    assert.ok(await thread.burns());
  });

  test('is empty while the thread waits for events, and it answers afterwards', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    const idle = (): number => thread.handle.worker.performance.eventLoopUtilization().idle;
    for (const from = idle(); idle() - from < 20; ) await sleep(5);
    assert.deepEqual((await threads.stackOf(thread.handle, DEADLINE_MS)).frames, []);
    thread.begin('ping');
    await thread.says('pong');
  });

  test('is had again and again, also twice at once', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('spin');
    await thread.burns();
    for (let i = 0; i < 10; i++) {
      const both = await Promise.all([1, 2].map(() => threads.stackOf(thread.handle, DEADLINE_MS)));
      for (const { frames } of both) assert.equal(frames[0]?.function, 'spinHere');
    }
    assert.ok(await thread.burns());
  });

  test('is of the thread asked for; others run on undisturbed', async (t) => {
    const [first, second, bystander] = [
      await busyThread(t, 'a'),
      await busyThread(t, 'b'),
      await busyThread(t, '[worker 1] c'),
    ];
    const threads = debuggerFor(t);
    first.begin('spin');
    second.begin('regex');
    bystander.begin('debuggerStatement');
    await bystander.says('done debuggerStatement');
    bystander.begin('spin');
    for (const { burns } of [first, second]) await burns();
    const [a, b] = await Promise.all([first, second].map(({ handle }) => threads.stackOf(handle, DEADLINE_MS)));
    assert.equal(a!.frames[0]?.function, 'spinHere');
    assert.equal(b!.frames[0]?.function, 'regex');
    assert.ok(await bystander.burns());
    // A thread that is born while another is looked at starts as ever.
    const look = await threads.use(first.handle);
    await look.pause(DEADLINE_MS);
    const late = await busyThread(t, 'late');
    late.begin('debuggerStatement');
    await late.says('done debuggerStatement');
    look.end();
    assert.ok(await first.burns());
  });
});

describe('a thread in native code', () => {
  const isLate = (waitsIn: RegExp) => (error: unknown) =>
    error instanceof GraceError && error.code === 'DEADLINE' && waitsIn.test(error.message);

  test('misses the deadline while it hashes, and is not paused when it comes back', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('hash', '1500000');
    await thread.burns();
    await assert.rejects(threads.stackOf(thread.handle, 100), isLate(/runs native code/));
    await thread.says('done hash');
    thread.begin('ping');
    await thread.says('pong');
  });

  test('misses it while it waits for a child, and the system tells where it waits', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('child', '1');
    await sleep(100);
    await assert.rejects(threads.stackOf(thread.handle, 100), isLate(/sleeps in \w*poll/));
    await thread.says('done child');
    thread.begin('ping');
    await thread.says('pong');
  });

  test('misses it while it reads a FIFO, and works when the read ends', async (t) => {
    const fifo = join(folder(t), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    // Open at both ends, so that whoever opens it can be let go.
    const file = openSync(fifo, constants.O_RDWR);
    thread.begin('fifo', fifo);
    await sleep(100);
    await assert.rejects(threads.stackOf(thread.handle, 100), isLate(/sleeps in \w*(pipe|read)/));
    closeSync(file);
    await thread.says('done fifo');
  });
});

describe('nothing is left paused', () => {
  test('when the debugger lets go while threads stand still', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('spin');
    await thread.burns();
    const look = await threads.use(thread.handle);
    assert.ok(await look.pause(DEADLINE_MS));
    threads.stop();
    assert.ok(await thread.burns());
  });

  test('when everybody who paused it has let it go, and not before', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('spin');
    await thread.burns();
    const look = await threads.use(thread.handle);
    const [first, second] = [await look.pause(DEADLINE_MS), await look.pause(DEADLINE_MS)];
    first!.end();
    first!.end();
    const { cpuMs } = thread.times();
    await sleep(100);
    assert.ok(thread.times().cpuMs - cpuMs < 20);
    second!.end();
    assert.ok(await thread.burns());
    look.end();
  });

  test('when a deadline passes before a pause comes, or a `debugger` statement is met', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    const look = await threads.use(thread.handle);
    // For seconds: on a full machine this thread may come late, and the other must still be at it. What it burns first may be its debugger's.
    thread.begin('hash', '4000000');
    for (let n = 0; n < 10; n++) await thread.burns();
    await assert.rejects(look.pause(20), { code: 'DEADLINE' });
    await thread.says('done hash');
    thread.begin('debuggerStatement');
    await thread.says('done debuggerStatement');
    look.end();
  });

  test('when the thread is ended: free lets terminate return', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('spin');
    await thread.burns();
    const look = await threads.use(thread.handle);
    assert.ok(await look.pause(DEADLINE_MS));
    await threads.free(thread.handle);
    await within(thread.handle.worker.terminate(), DEADLINE_MS, 'the thread did not end');
    await assert.rejects(threads.stackOf(thread.handle, DEADLINE_MS), { code: 'KERNEL_GONE' });
    await assert.rejects(look.pause(DEADLINE_MS), { code: 'KERNEL_GONE' });
  });

  test('when the thread is ended while its stack is taken: the stack is had first', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('wait');
    await sleep(50);
    // The second is quick: the scripts of the thread are known by then.
    await threads.stackOf(thread.handle, DEADLINE_MS);
    const taken = threads.stackOf(thread.handle, DEADLINE_MS);
    await threads.free(thread.handle);
    await within(thread.handle.worker.terminate(), DEADLINE_MS, 'the thread did not end');
    const frames = await taken.then(
      ({ frames }) => frames,
      (error: GraceError) => error.code,
    );
    // On a full machine the thread may have had no time.
    assert.ok(
      frames === 'KERNEL_GONE' || (Array.isArray(frames) && frames[0]?.function === 'wait'),
      JSON.stringify(frames),
    );
  });

  test('when a thread in native code is ended while it is waited for', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('hash', '1500000');
    await thread.burns();
    const gone = assert.rejects(threads.stackOf(thread.handle, DEADLINE_MS), { code: 'KERNEL_GONE' });
    await within(threads.free(thread.handle), DEADLINE_MS, 'it was not freed');
    await gone;
    await thread.says('done hash');
    thread.begin('ping');
    await thread.says('pong');
  });

  test('when a thread ends by itself while it is waited for', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    thread.begin('child', '0.3');
    thread.begin('crash');
    await sleep(50);
    await assert.rejects(
      threads.stackOf(thread.handle, DEADLINE_MS).then(({ frames }) => {
        // It may be seen on its last few instructions.
        if (frames.length > 0) throw new GraceError('KERNEL_GONE');
      }),
      { code: 'KERNEL_GONE' },
    );
  });

  test('when a thread that is about to end stands still after everybody has gone', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    let isEnding = false;
    const { kernel, worker, tid } = thread.handle;
    const handle = {
      kernel,
      worker,
      tid,
      get isEnding() {
        return isEnding;
      },
    } as ThreadHandle;
    const look = await threads.use(handle);
    thread.begin('hash', '4000000');
    for (let n = 0; n < 10; n++) await thread.burns();
    await assert.rejects(look.pause(20), { code: 'DEADLINE' });
    isEnding = true;
    look.end();
    await assert.rejects(threads.stackOf(handle, DEADLINE_MS), { code: 'KERNEL_GONE' });
    await thread.says('done hash');
    thread.begin('ping');
    await thread.says('pong');
  });

  test('when the process exits: it does not wait for the paused thread', (t) => {
    const { status, stderr } = program(t, new URL('./fixtures/exit-paused.ts', import.meta.url), DEADLINE_MS);
    assert.equal(status, 7, stderr);
  });
});

test('the process outlives threads that die while they, or their neighbours, are looked into', (t) => {
  const { status, signal, stderr } = program(t, new URL('./fixtures/look-at-the-dying.ts', import.meta.url), 60_000);
  assert.equal(status ?? signal, 7, stderr);
});

function program(t: TestContext, file: URL, timeout: number): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [fileURLToPath(file)], {
    timeout,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
    cwd: folder(t),
  });
}
