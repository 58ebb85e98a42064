import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type CellLimits, createSlot, SLOT } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { systemGroupFiles } from '../../machine/control-groups/group-files.ts';
import { ownGroups } from '../../machine/control-groups/own-groups.ts';
import { probeLimits } from '../../machine/control-groups/probe.ts';
import { removeGroups } from '../../machine/control-groups/removal.ts';
import { createDutyCycle } from '../debugger/duty-cycle.ts';
import { createThreadDebugger } from '../debugger/thread-debugger.ts';
import { watchWorkers } from '../debugger/worker-session.ts';
import { readThreadTimes } from '../proc-thread.ts';
import type { ThreadHandle } from '../thread-handle.ts';
import { createCpuLimits, type DutyCycle } from './cpu-limits.ts';
import { createNiceness, niceOf } from './niceness.ts';

/** Spins for a minute at most, and starts a thread of its own that does the same when told to. */
const SPINNER = `
const { readlinkSync } = require('node:fs');
const { parentPort, workerData: slot, Worker } = require('node:worker_threads');
const spin = 'for (const end = Date.now() + 60000; Date.now() < end; );';
Atomics.store(slot, ${SLOT.tid}, BigInt(readlinkSync('/proc/thread-self').split('/').pop()));
parentPort.on('message', () => {
  new Worker(spin, { eval: true }).once('online', () => { parentPort.postMessage('started'); });
});
setInterval(() => { for (const end = Date.now() + 50; Date.now() < end; ); }, 1);
`;

watchWorkers();
const threads: ThreadHandle[] = [];

async function spinner(): Promise<ThreadHandle> {
  const slot = createSlot();
  const worker = new Worker(SPINNER, { eval: true, workerData: slot });
  const thread = {
    kernel: 'spinner',
    incarnation: threads.length + 1,
    worker,
    slot,
    cap: null,
    get tid() {
      return Number(Atomics.load(slot, SLOT.tid));
    },
  } as ThreadHandle;
  threads.push(thread);
  await poll('the thread spins', () => thread.tid > 0 && (readThreadTimes(thread.tid)?.cpuMs ?? 0) > 20);
  return thread;
}

/** Share of one core that the thread got while `ms` went by. */
async function share(tid: number, ms: number): Promise<number> {
  const from = { at: performance.now(), cpuMs: readThreadTimes(tid)!.cpuMs };
  await poll('time goes by', () => performance.now() - from.at >= ms);
  return (readThreadTimes(tid)!.cpuMs - from.cpuMs) / (performance.now() - from.at);
}

/** Never more than `most`; and `least` as soon as the machine has it to give: others may keep it busy. */
async function getsShare(tid: number, least: number, most: number): Promise<void> {
  const seen: number[] = [];
  for (const until = performance.now() + 30_000; performance.now() < until; ) {
    seen.push(await share(tid, 1200));
    assert.ok(seen.at(-1)! < most, `${seen.at(-1)! * 100} % got`);
    if (seen.at(-1)! > least) return;
  }
  assert.fail(`never got: ${seen.map((one) => (one * 100).toFixed(1))} %`);
}

/** Writes down what it is asked; whether pausing works is the debugger's own test. */
function recordingDutyCycle(): DutyCycle & { said: string[] } {
  const said: string[] = [];
  return {
    said,
    async hold(thread, cpu) {
      said.push(`hold ${thread.kernel} ${cpu}`);
    },
    async release(thread) {
      said.push(`release ${thread.kernel}`);
    },
    stop: () => said.push('stop'),
  };
}

// Those of former tests would take the processor from the next.
afterEach(() => Promise.all(threads.map(({ worker }) => worker.terminate())));

const ground = await probeLimits();
const skip = whyNotWritable();
function whyNotWritable(): string | false {
  try {
    const trial = join(ownGroups().cpu!, `grace-try-${process.pid}`);
    mkdirSync(trial);
    rmdirSync(trial);
    return false;
  } catch (error) {
    return `no v1 cpu group can be made here: ${(error as Error).message}`;
  }
}

describe('CPU limits by control groups v1', { skip }, () => {
  const own = ownGroups().cpu!;
  const cellGroup = join(own, `grace-test-${process.pid}`);
  const limits: CellLimits = { method: 'cgroup1', group: cellGroup };
  before(() => mkdirSync(cellGroup));
  after(async () => assert.deepEqual(await removeGroups(systemGroupFiles, cellGroup, 5000), []));
  const groups = (): string[] =>
    readdirSync(cellGroup, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  const groupOf = (tid: number): string =>
    /^\d+:[^:]*\bcpu\b[^:]*:(.*)$/m.exec(readFileSync(`/proc/self/task/${tid}/cgroup`, 'latin1'))![1]!;

  test('are found where a group can be made', () => {
    assert.notEqual(ground.cpu, null, JSON.stringify(ground.refused));
  });

  test('a spinning thread gets the share it is held to, another one when that changes, and all of a core when it is lifted', async () => {
    const cpu = createCpuLimits({ limits: () => limits, dutyCycle: null });
    const thread = await spinner();
    assert.deepEqual(await cpu.limit(thread, 0.2), { method: 'cgroup1', cpu: 0.2 });
    assert.equal(thread.cap, 0.2);
    await getsShare(thread.tid, 0.12, 0.3);
    await cpu.limit(thread, 0.05);
    await getsShare(thread.tid, 0.02, 0.1);

    assert.deepEqual(await cpu.limit(thread, null), { method: 'cgroup1', cpu: null });
    assert.equal(thread.cap, null);
    assert.equal(groupOf(thread.tid), groupOf(process.pid));
    assert.deepEqual(groups(), []);
    // How much of a core it gets is the machine's matter; that it gets more than before is the lift's.
    await poll('it gets more than it was held to', async () => (await share(thread.tid, 300)) > 0.12);
  });

  test('a thread that ends takes its group with it, and what it started while held goes back', async () => {
    const cpu = createCpuLimits({ limits: () => limits, dutyCycle: null });
    const thread = await spinner();
    await cpu.limit(thread, 0.3);
    thread.worker.postMessage('start another');
    const child = await poll('its own thread is held with it', () => {
      const tids = readFileSync(join(cellGroup, groups()[0]!, 'tasks'), 'latin1')
        .trim()
        .split('\n')
        .map(Number);
      return tids.find((tid) => tid !== thread.tid);
    });
    await cpu.limit(thread, null);
    assert.equal(groupOf(child), groupOf(process.pid));
    await cpu.limit(thread, 0.3);
    assert.equal(groups().length, 1);
    await thread.worker.terminate();
    await poll('its group is gone', () => groups().length === 0);
    await assert.rejects(cpu.limit(thread, 0.2), { code: 'KERNEL_GONE' });
  });

  test('a group that refuses is replaced by the duty cycle, which is said; and the group is taken again when it can be', async () => {
    let group = cellGroup;
    const duty = recordingDutyCycle();
    const refused: string[] = [];
    const cpu = createCpuLimits({
      limits: () => ({ method: 'cgroup1', group }),
      dutyCycle: duty,
      onRefused: (_, error) => refused.push(error.message),
    });
    const thread = await spinner();
    await cpu.limit(thread, 0.3);
    group = join(cellGroup, 'removed');
    assert.deepEqual(await cpu.limit(thread, 0.2), { method: 'inspector', cpu: 0.2 });
    assert.deepEqual(duty.said, ['hold spinner 0.2']);
    assert.match(refused[0]!, /ENOENT/);
    assert.equal(groupOf(thread.tid), groupOf(process.pid));
    group = cellGroup;
    assert.deepEqual(await cpu.limit(thread, 0.2), { method: 'cgroup1', cpu: 0.2 });
    assert.deepEqual(duty.said, ['hold spinner 0.2', 'release spinner']);
    await cpu.stop();
    assert.deepEqual([thread.cap, groups()], [null, []]);
  });

  test('when the supervisor names other groups, what is held moves there without a pause', async () => {
    let group = cellGroup;
    const cpu = createCpuLimits({ limits: () => ({ method: 'cgroup1', group }), dutyCycle: null });
    const thread = await spinner();
    await cpu.limit(thread, 0.3);
    group = join(cellGroup, 'other');
    mkdirSync(group);
    await cpu.moved();
    assert.match(groupOf(thread.tid), /\/other\/spinner\.\d+$/);
    assert.deepEqual(groups(), ['other']);
    assert.equal(thread.cap, 0.3);
    await cpu.stop();
    assert.ok(existsSync(group));
    rmdirSync(group);
  });
});

describe('CPU limits without control groups', () => {
  const limits: CellLimits = { method: 'inspector', group: null };

  test('are kept by the duty cycle, and lifted', async () => {
    const cpu = createCpuLimits({ limits: () => limits, dutyCycle: createDutyCycle(createThreadDebugger()) });
    const thread = await spinner();
    assert.deepEqual(await cpu.limit(thread, 0.2), { method: 'inspector', cpu: 0.2 });
    await getsShare(thread.tid, 0.08, 0.4);
    await cpu.limit(thread, 0.05);
    assert.deepEqual(await cpu.limit(thread, null), { method: 'inspector', cpu: null });
    assert.equal(thread.cap, null);
    await poll('it gets more than it was held to', async () => (await share(thread.tid, 300)) > 0.12);
    await cpu.stop();
  });

  test('that nothing can keep are not claimed', async () => {
    const thread = await spinner();
    const none = createCpuLimits({ limits: () => ({ method: 'none', group: null }), dutyCycle: recordingDutyCycle() });
    assert.deepEqual(await none.limit(thread, 0.2), { method: 'none', cpu: null });
    const failing: DutyCycle = { ...recordingDutyCycle(), hold: () => Promise.reject(new Error('in native code')) };
    const refused: string[] = [];
    const broken = createCpuLimits({
      limits: () => limits,
      dutyCycle: failing,
      onRefused: (_, error) => refused.push(error.message),
    });
    assert.deepEqual(await broken.limit(thread, 0.2), { method: 'none', cpu: null });
    assert.deepEqual([thread.cap, refused], [null, ['in native code']]);
  });
});

describe('niceness', () => {
  test('is raised only where it can be lowered again', async () => {
    const { tid } = await spinner();
    const own = getPriority(tid);
    const bound = createNiceness(() => false);
    bound.set(tid, 0.1);
    assert.equal(getPriority(tid), own);
    bound.lift(tid);
    assert.equal(getPriority(tid), own);
  });

  test('is raised for small shares and lifted again', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('lowering a niceness needs privilege');
    const { tid } = await spinner();
    const free = createNiceness();
    free.set(tid, 0.9);
    assert.equal(getPriority(tid), 0);
    free.set(tid, 0.1);
    assert.equal(getPriority(tid), niceOf(0.1));
    assert.equal(getPriority(process.pid), 0, 'the rest of the process is as nice as before');
    free.lift(tid);
    assert.equal(getPriority(tid), 0);
  });

  test('goes from 10 to 19', () => {
    assert.deepEqual([0.2, 0.1, 0.05, 0.01].map(niceOf), [0, 10, 13, constants.priority.PRIORITY_LOW]);
  });
});
