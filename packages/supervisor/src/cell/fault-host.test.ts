import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type FaultLease,
  MANIFEST_DEFAULTS,
  SETTINGS_DEFAULTS,
  SLOT,
  type SystemPlan,
  type ThreadFault,
} from '@grace/contracts';
import { poll } from '@grace/testkit';
import { createFaultHost } from './fault-host.ts';
import { createThread } from './thread-handle.ts';

const THREAD = fileURLToPath(new URL('../../../kernel-sdk/src/thread/main.ts', import.meta.url));
const KERNEL = fileURLToPath(new URL('../../test/fixtures/growing.mjs', import.meta.url));

/** An armed kernel in a thread of this process, and the host of its faults. */
async function openHost(t: TestContext) {
  const home = mkdtempSync(join(tmpdir(), 'grace-fault-'));
  const plan = { home, settings: SETTINGS_DEFAULTS, entries: { thread: THREAD } } as SystemPlan;
  const place = { id: 'grower', title: 'grower', cell: 'user', module: KERNEL, builtin: false };
  const manifest = { ...MANIFEST_DEFAULTS, ...place };
  const order = { manifest, incarnation: 1, busToken: '', armed: true, brokerCell: 'user' };
  const thread = createThread(plan, order, null, null, { onMessage: () => {}, onExit: () => {} });
  const undone: string[] = [];
  const host = createFaultHost(
    () => thread,
    ({ id }, why) => void undone.push(`${id} ${why}`),
  );
  t.after(async () => {
    host.stop();
    await thread.terminate(5000);
    rmSync(home, { recursive: true, force: true });
  });
  await thread.loaded;
  await thread.start();
  return {
    thread,
    host,
    undone,
    async inject(kind: ThreadFault, times: Partial<FaultLease> = {}) {
      const lease: FaultLease = {
        ...{ id: kind, kind, target: 'grower', incarnation: 1, durationMs: 60_000, ttlMs: 60_000 },
        ...{ correlation: 'c', permit: 'p', params: {} },
        ...times,
      };
      host.apply(lease);
      await poll('the fault acts', () => Atomics.load(thread.slot, SLOT.faultBitNs) > 0n);
      await assert.rejects(thread.verbs.probe(200), { code: 'DEADLINE' });
    },
    answers: () => thread.verbs.probe(20_000),
  };
}

const pipesOpen = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('grace-pipe-');
    } catch {
      return false;
    }
  }).length;
const pipesOnDisk = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('grace-pipe-'));

test('a thread in a blocking read goes on when its fault is undone, and nothing of the pipe is left', async (t) => {
  const { host, inject, answers } = await openHost(t);
  const before = pipesOnDisk();
  await inject('fifo_read');
  assert.equal(pipesOpen(), 1);
  assert.deepEqual(
    pipesOnDisk().filter((name) => !before.includes(name)),
    [],
    'its name is gone while it is read',
  );
  assert.deepEqual(host.undo('fifo_read'), { verified: true });
  await answers();
  await poll('the pipe is closed', () => pipesOpen() === 0);
});

test('a thread in a blocking read goes on by itself when nobody renews its lease', async (t) => {
  const { inject, answers, undone } = await openHost(t);
  await inject('fifo_read', { ttlMs: 1000 });
  await answers();
  await poll('the end is reported', () => undone.length > 0);
  assert.deepEqual(undone, ['fifo_read lapsed']);
});

test('a host that stops ends what it holds, so that its process can end', async (t) => {
  const { host, inject, answers } = await openHost(t);
  await inject('fifo_read');
  host.stop();
  assert.deepEqual(host.list(), []);
  await answers();
});

test('every fault that holds the event loop ends when it is undone', async (t) => {
  const { host, inject, answers, thread } = await openHost(t);
  for (const kind of ['cpu_spin', 'catastrophic_regex', 'atomics_wait'] as const) {
    Atomics.store(thread.slot, SLOT.faultBitNs, 0n);
    await inject(kind);
    host.undo(kind);
    await answers();
  }
});
