import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DutyCycle } from '../limits/cpu-limits.ts';
import { within } from '../thread-handle.ts';
import { createDutyCycle } from './duty-cycle.ts';
import { type BusyThread, busyThread, debuggerFor } from './fixtures/rig.ts';
import type { ThreadDebugger } from './thread-debugger.ts';

const DEADLINE_MS = 10_000;

function cycleFor(t: TestContext): { cycle: DutyCycle; threads: ThreadDebugger } {
  const threads = debuggerFor(t);
  const cycle = createDutyCycle(threads);
  t.after(() => cycle.stop());
  return { cycle, threads };
}

/** What a thread got of one core over a time, and what it wanted and did not get from the machine. */
async function share(thread: BusyThread, forMs: number): Promise<{ cpu: number; starved: number }> {
  const fromMs = performance.now();
  const from = thread.times();
  await sleep(forMs);
  const to = thread.times();
  const ms = performance.now() - fromMs;
  return { cpu: (to.cpuMs - from.cpuMs) / ms, starved: (to.runDelayMs - from.runDelayMs) / ms };
}

/** Waits until the thread gets what was asked, within half of it: no less but for a full machine. */
async function settles(thread: BusyThread, cpu: number): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  let got = { cpu: Number.NaN, starved: 0 };
  while (performance.now() < end) {
    got = await share(thread, 700);
    if (got.cpu < cpu * 1.5 && (got.cpu > cpu * 0.5 || got.starved > 0.2)) return;
  }
  assert.fail(`asked for ${cpu}, got ${JSON.stringify(got)}`);
}

/** Waits until it runs, or wants to, all the time. */
async function isFree(thread: BusyThread): Promise<boolean> {
  const end = performance.now() + DEADLINE_MS;
  while (performance.now() < end) {
    const { cpu, starved } = await share(thread, 300);
    if (cpu + starved > 0.8) return true;
  }
  return false;
}

describe('the duty cycle', () => {
  test('holds a thread that burns at its share, changes it, and lifts it', async (t) => {
    const thread = await busyThread(t);
    const { cycle } = cycleFor(t);
    thread.begin('spin');
    await cycle.hold(thread.handle, 0.2);
    await settles(thread, 0.2);
    await cycle.hold(thread.handle, 0.5);
    await settles(thread, 0.5);
    await cycle.release(thread.handle);
    await cycle.release(thread.handle);
    assert.ok(await isFree(thread));
  });

  test('leaves a thread that rests alone: its debugger is not even enabled', async (t) => {
    const thread = await busyThread(t);
    const threads = debuggerFor(t);
    let uses = 0;
    const use: ThreadDebugger['use'] = (handle) => {
      uses++;
      return threads.use(handle);
    };
    const cycle = createDutyCycle({ ...threads, use });
    t.after(() => cycle.stop());
    // So little that a thread that burns gets more on the fullest machine.
    await cycle.hold(thread.handle, 0.02);
    await sleep(500);
    assert.equal(uses, 0);
    thread.begin('spin');
    for (const end = performance.now() + DEADLINE_MS; uses === 0 && performance.now() < end; ) await sleep(20);
    assert.ok(uses > 0);
  });

  test('and a stack work together', async (t) => {
    const thread = await busyThread(t);
    const { cycle, threads } = cycleFor(t);
    thread.begin('spin');
    await thread.burns();
    await cycle.hold(thread.handle, 0.2);
    for (let i = 0; i < 20; i++) {
      const { frames } = await threads.stackOf(thread.handle, DEADLINE_MS);
      assert.equal(frames[0]?.function, 'spinHere');
      await sleep(i * 3);
    }
    await settles(thread, 0.2);
  });

  test('lets a thread come back from native code, and holds it then', async (t) => {
    const thread = await busyThread(t);
    const { cycle } = cycleFor(t);
    thread.begin('hash', '1500000');
    thread.begin('spin');
    await cycle.hold(thread.handle, 0.3);
    await thread.says('done hash');
    await settles(thread, 0.3);
  });

  test('leaves nothing paused when it stops', async (t) => {
    const threads = await Promise.all(['a', 'b', 'c'].map((name) => busyThread(t, name)));
    const { cycle } = cycleFor(t);
    for (const thread of threads) {
      thread.begin('spin');
      await cycle.hold(thread.handle, 0.05);
    }
    await Promise.all(threads.map((thread) => settles(thread, 0.05)));
    cycle.stop();
    for (const thread of threads) assert.ok(await isFree(thread));
  });

  test('ends with its thread, which ends at once', async (t) => {
    const { cycle, threads } = cycleFor(t);
    for (let i = 0; i < 5; i++) {
      const thread = await busyThread(t);
      thread.begin('spin');
      await cycle.hold(thread.handle, 0.1);
      await sleep(100 + i * 17);
      await threads.free(thread.handle);
      await within(thread.handle.worker.terminate(), DEADLINE_MS, 'a held thread did not end');
      await cycle.release(thread.handle);
      await assert.rejects(cycle.hold(thread.handle, 0.1), { code: 'KERNEL_GONE' });
    }
  });

  test('ends when its thread crashes', async (t) => {
    const thread = await busyThread(t);
    const { cycle } = cycleFor(t);
    thread.begin('spin', '', 400);
    thread.begin('crash');
    const ended = new Promise((resolve) => thread.handle.worker.once('exit', resolve));
    await cycle.hold(thread.handle, 0.5);
    await within(
      ended.then(() => {}),
      DEADLINE_MS,
      'the thread did not crash',
    );
    await within(cycle.release(thread.handle), DEADLINE_MS, 'the cycle did not end');
  });
});
