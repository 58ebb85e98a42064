import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type FaultKind, GraceError, systemClock } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { type StandIn, standIn, statusOf } from '../../test/control-stand-in.ts';
import { segmentBytes } from '../../test/segment-bytes.ts';
import { type DamageRecord, damageRecord, takeBack } from '../damage/record-damage.ts';
import { resolveTarget } from '../observe/target.ts';
import { baselineOf, type Effect, proveEffect } from './effect.ts';
import type { Injection } from './injection.ts';
import { machineCpu, threadExists } from './process-table.ts';

const TELL_TID = `
  const { parentPort } = require('node:worker_threads');
  parentPort.postMessage(Number(require('node:fs').readlinkSync('/proc/thread-self').split('/').at(-1)));
`;
const WAIT_ON_ORDER = `${TELL_TID} parentPort.on('message', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));`;
const SPIN_ON_ORDER = `${TELL_TID} parentPort.on('message', () => { for (;;); });`;

async function thread(code: string): Promise<{ worker: Worker; tid: number }> {
  const worker = new Worker(code, { eval: true });
  const tid = await new Promise<number>((resolve) => worker.once('message', resolve));
  return { worker, tid };
}

/** Looks for the effect of a fault on a thread of this very process. */
async function prove(
  kind: FaultKind,
  tid: number,
  more: {
    answers?: StandIn['answers'];
    counts?: Record<string, number>;
    params?: Record<string, unknown>;
    damage?: () => DamageRecord | null;
    deadlineMs?: number;
    /** Host process of the target; default this one. */
    pid?: number;
    act?: () => unknown;
  } = {},
): Promise<Effect> {
  const { answers = {}, counts = {}, params = {}, damage = () => null, deadlineMs = 20_000, act = () => {} } = more;
  const status = statusOf([{ id: 'scheduler', tid }]);
  if (more.pid !== undefined) status.cells[0]!.pid = more.pid;
  const system = await standIn({ status: () => status, ...answers });
  const target = resolveTarget(status, { kind: 'kernel', kernel: 'scheduler' });
  const before = baselineOf(status, target);
  const orderedMono = systemClock.monoMs();
  const injection = { lease: { kind, params }, orderedMono, actingMono: () => null, counts: () => counts, damage };
  try {
    await act();
    return await proveEffect(
      { control: system.client, target, before, injection: injection as unknown as Injection },
      deadlineMs,
      new AbortController().signal,
    );
  } finally {
    await system.close();
  }
}

const isLinux = machineCpu() !== null;

describe('the effect of a fault', { skip: !isLinux && 'needs /proc' }, () => {
  test('a thread that spins is seen by the CPU it burns, one at rest is not', async () => {
    const { worker, tid } = await thread(SPIN_ON_ORDER);
    try {
      assert.equal((await prove('cpu_spin', tid, { deadlineMs: 300 })).proven, false);
      const effect = await prove('cpu_spin', tid, { act: () => worker.postMessage('spin') });
      assert.equal(effect.proven, true);
      assert.ok((effect.observed['threadCpuMs'] as number) > 80);
    } finally {
      await worker.terminate();
    }
  });

  test('a thread that catches its breath in a regular expression is seen by the CPU it burns', async () => {
    const { worker, tid } = await thread(SPIN_ON_ORDER);
    try {
      const effect = await prove('catastrophic_regex', tid, { act: () => worker.postMessage('spin') });
      assert.equal(effect.proven, true);
    } finally {
      await worker.terminate();
    }
  });

  test('a storm counts only while verbs are answered', async () => {
    const { worker, tid } = await thread(SPIN_ON_ORDER);
    const act = () => worker.postMessage('spin');
    try {
      const deaf = { answers: { call: () => Promise.reject(new Error('no answer')) }, deadlineMs: 3000, act };
      const hung = await prove('cpu_storm', tid, deaf);
      assert.deepEqual([hung.proven, hung.observed['trouble']], [false, 'no answer']);
      const storm = await prove('cpu_storm', tid, { answers: { call: () => ({}) } });
      assert.equal(storm.observed['verbAnswered'], true);
      assert.ok((storm.observed['threadCpuMs'] as number) > 300);
    } finally {
      await worker.terminate();
    }
  });

  test('a thread that blocks is one that sleeps and leaves a verb unanswered; neither alone is enough', async () => {
    const waiting = await thread(WAIT_ON_ORDER);
    const spinning = await thread(SPIN_ON_ORDER);
    const silent = { call: () => new Promise<never>(() => {}) };
    try {
      const idle = await prove('atomics_wait', waiting.tid, { answers: { call: () => ({}) }, deadlineMs: 500 });
      assert.equal(idle.proven, false, 'it answers');
      const busy = await prove('fifo_read', spinning.tid, {
        answers: silent,
        deadlineMs: 600,
        act: () => spinning.worker.postMessage('spin'),
      });
      assert.equal(busy.proven, false, 'it burns CPU');
      const refused = { call: () => Promise.reject(new GraceError('KERNEL_GONE', 'it is gone')) };
      assert.equal((await prove('atomics_wait', waiting.tid, { answers: refused, deadlineMs: 500 })).proven, false);
      const blocked = await prove('atomics_wait', waiting.tid, {
        answers: silent,
        act: () => waiting.worker.postMessage('wait'),
      });
      assert.equal(blocked.proven, true);
      assert.equal(blocked.observed['threadState'], 'S');
    } finally {
      await Promise.all([waiting.worker.terminate(), spinning.worker.terminate()]);
    }
  });

  for (const kind of ['heap_leak', 'external_leak'] as const) {
    test(`${kind} is seen by the size of the process, and not by the age of anything`, async () => {
      const held: Buffer[] = [];
      assert.equal((await prove(kind, process.pid, { deadlineMs: 300 })).proven, false);
      const act = () => held.push(Buffer.alloc(80e6, 1));
      const { proven, observed } = await prove(kind, process.pid, { act });
      assert.equal(proven, true);
      assert.ok((observed['rssBytes'] as number) - (observed['rssBefore'] as number) > 32e6);
      assert.equal(held.length, 1);
    });
  }

  test('an allocation that ended its process is seen by the absence of the process', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 90000)'], { stdio: 'ignore' });
    try {
      const pid = child.pid!;
      assert.equal((await prove('huge_allocation', pid, { pid, deadlineMs: 200 })).proven, false);
      const effect = await prove('huge_allocation', pid, { pid, act: () => child.kill('SIGABRT') });
      assert.deepEqual(effect.observed, { processGone: pid });
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('a thread that died is seen by its absence, one that lives is not dead', async () => {
    const { worker, tid } = await thread(SPIN_ON_ORDER);
    assert.equal((await prove('process_exit', tid, { deadlineMs: 100 })).proven, false);
    const effect = await prove('process_exit', tid, { act: () => worker.terminate() });
    assert.deepEqual(effect.observed, { threadGone: tid, processStays: process.pid });
    await poll('the thread is gone', () => !threadExists(process.pid, tid));
  });

  test('a heartbeat that stopped counts only while the verbs are answered', async () => {
    const status = () => statusOf([{ id: 'scheduler', heartbeatAgeMs: 3000 }]);
    const paused = await prove('heartbeat_pause', 1, { answers: { status, call: () => ({}) } });
    assert.deepEqual(paused.observed, { heartbeatAgeMs: 3000, verbAnswered: true });
    const stuck = await prove('heartbeat_pause', 1, {
      answers: { status, call: () => Promise.reject(new Error('no answer')) },
      deadlineMs: 200,
    });
    assert.equal(stuck.proven, false);
    assert.equal(stuck.observed['trouble'], 'no answer');
    assert.equal((await prove('heartbeat_pause', 1, { answers: { call: () => ({}) }, deadlineMs: 200 })).proven, false);
  });

  test('a flood counts only when it was refused and the broker counted it too', async () => {
    const denied = (count: number) => () => {
      const status = statusOf([{ id: 'scheduler' }]);
      return { ...status, bus: { ...status.bus, denied: count } };
    };
    const counts = { sent: 2000, denied: 300, muted: 1700 };
    assert.equal((await prove('acl_spam', 1, { counts, answers: { status: denied(300) } })).proven, true);
    assert.equal(
      (await prove('acl_spam', 1, { counts, answers: { status: denied(0) }, deadlineMs: 200 })).proven,
      false,
    );
    const few = { sent: 2000, denied: 3, muted: 5 };
    assert.equal(
      (await prove('acl_spam', 1, { counts: few, answers: { status: denied(3) }, deadlineMs: 200 })).proven,
      false,
    );
  });
});

describe('the effect of a flood of work', () => {
  const stats = (waiting: number) => ({ call: () => ({ families: { task: { waiting } } }) });
  const params = { subject: 'task.code_refactor' };

  test('is seen when messages were accepted and wait at the broker, and neither alone is enough', async () => {
    const counts = { sent: 900, accepted: 800, overloaded: 0, handled: 300 };
    const seen = await prove('topic_flood', 1, { counts, params, answers: stats(500) });
    assert.deepEqual(seen.observed, { ...counts, waitingAtBroker: 500 });
    const idle = await prove('topic_flood', 1, { counts, params, answers: stats(0), deadlineMs: 100 });
    assert.equal(idle.proven, false);
    const few = { ...counts, accepted: 20 };
    assert.equal(
      (await prove('topic_flood', 1, { counts: few, params, answers: stats(500), deadlineMs: 100 })).proven,
      false,
    );
  });
});

describe('the effect of damage to the record', () => {
  function bed(t: TestContext) {
    const home = mkdtempSync(join(tmpdir(), 'grace-effect-'));
    t.after(() => rmSync(home, { recursive: true, force: true }));
    const folder = join(home, 'ledger');
    mkdirSync(folder);
    const path = join(folder, '0000000000000001.segment');
    writeFileSync(path, segmentBytes(20).bytes);
    return { folder, path, keep: join(home, 'kept') };
  }

  test('is seen by the bytes on the disk, which differ from those before', async (t) => {
    const { folder, keep } = bed(t);
    assert.equal((await prove('log_damage', 1, { deadlineMs: 60 })).proven, false);
    const done = damageRecord(folder, 'flip', keep);
    const { proven, observed } = await prove('log_damage', 1, { damage: () => done });
    assert.deepEqual([proven, observed['seq'], observed['onDisk']], [true, done.seq, 'damaged']);
    assert.notEqual(observed['sha256Before'], observed['sha256After']);
    takeBack(keep);
    const later = await prove('log_damage', 1, { damage: () => done });
    assert.equal(later.observed['onDisk'], 'changed since');
    const nothing = { ...done, after: done.before };
    assert.equal((await prove('log_damage', 1, { damage: () => nothing, deadlineMs: 60 })).proven, false);
  });

  test('of a torn write is seen by a tail that stays, and not by one that grows into a record', async (t) => {
    const { folder, path } = bed(t);
    const params = { folder };
    const { size } = statSync(path);
    assert.equal((await prove('torn_write', 1, { params, deadlineMs: 60 })).proven, false);
    const next = segmentBytes(1, 21).records[0]!;
    appendFileSync(path, next.subarray(0, 50));
    const seen = await prove('torn_write', 1, { params });
    assert.deepEqual(seen.observed, { segment: '0000000000000001.segment', offset: size, tornBytes: 50 });
    appendFileSync(path, next.subarray(50));
    assert.equal((await prove('torn_write', 1, { params, deadlineMs: 60 })).proven, false);
  });
});
