import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBroker } from '@grace/bus/broker';
import { signBusToken } from '@grace/control';
import { poll } from '@grace/testkit';
import { startActor } from '../fault/actor-process.ts';
import { processExists } from '../fault/process-table.ts';
import type { ActorOrder } from './protocol.ts';

const entry = join(import.meta.dirname, 'main.ts');
const NOTHING = { bus: null, consumer: null, ledger: null };
const hog = (ttlMs: number, durationMs: number): ActorOrder => ({
  lease: { id: 'l1', kind: 'cpu_hog', durationMs, ttlMs, params: { cores: 1 } },
  ...NOTHING,
});

describe('an actor', () => {
  test('does nothing before its order, acts, and ends when it is asked to', async () => {
    const actor = await startActor(entry, 10_000);
    assert.equal(actor.actingMono, null);
    actor.begin(hog(60_000, 60_000));
    await poll('the hog burns CPU', () => (actor.counts['cpuMs'] ?? 0) > 50);
    assert.ok(actor.actingMono !== null);
    assert.equal(await actor.stop(10_000), true);
    assert.equal((await actor.ended).why, 'requested');
    assert.equal(processExists(actor.pid), false);
  });

  test('ends by itself when its lease is not renewed', async () => {
    const actor = await startActor(entry, 10_000);
    actor.begin(hog(200, 60_000));
    assert.equal((await actor.ended).why, 'lapsed');
    assert.equal(processExists(actor.pid), false);
  });

  test('ends at its longest duration however often it is renewed', async () => {
    const actor = await startActor(entry, 10_000);
    actor.begin(hog(60_000, 400));
    const renewal = setInterval(() => actor.renew(), 50);
    const { why } = await actor.ended;
    clearInterval(renewal);
    assert.equal(why, 'expired');
  });

  test('is gone after its parent was killed, though the lease had long to go', async () => {
    const parent = spawn(
      process.execPath,
      [fileURLToPath(import.meta.resolve('../../test/parent.ts')), entry, JSON.stringify(hog(120_000, 120_000))],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const pid = await new Promise<number>((resolve) =>
      createInterface({ input: parent.stdout }).once('line', (line) => resolve(Number(line))),
    );
    assert.equal(processExists(pid), true);
    const exited = new Promise((resolve) => parent.once('exit', resolve));
    parent.kill('SIGKILL');
    await exited;
    await poll('the actor is gone', () => !processExists(pid));
  });

  test('is killed when it does not obey', async () => {
    const actor = await startActor(entry, 10_000);
    process.kill(actor.pid, 'SIGSTOP');
    assert.equal(await actor.stop(50), true);
    assert.equal(processExists(actor.pid), false);
  });

  test('an order that makes no sense is refused with its reason', async () => {
    const actor = await startActor(entry, 10_000);
    actor.begin({ lease: { ...hog(1000, 1000).lease, params: { cores: 0 } }, ...NOTHING });
    await assert.rejects(actor.ended, { code: 'BAD_INPUT', message: /params\.cores: expected a whole number/ });
  });

  test('a flood is denied, muted and counted, and nothing of it is accepted', async () => {
    const home = mkdtempSync(join(tmpdir(), 'grace-actor-'));
    const key = new Uint8Array(32).fill(7);
    const none = { allow: [], deny: [] };
    const broker = createBroker({
      acl: { kernels: { publish: none, subscribe: none }, principals: {} },
      mute: { enabled: true, threshold: 200, windowMs: 1000, periodMs: 60_000, periodMaxMs: 60_000 },
      maxPayloadBytes: 1e6,
    });
    try {
      const socket = join(home, 'bus.sock');
      await broker.listen(socket, key);
      const token = signBusToken(
        { principal: 'chaos_test', incarnation: 1, messagesPerSecond: 1e6, kernel: false },
        key,
      );
      const actor = await startActor(entry, 10_000);
      actor.begin({
        lease: {
          id: 'l1',
          kind: 'acl_spam',
          durationMs: 60_000,
          ttlMs: 60_000,
          params: { subject: 'system.control.restart', messages: 5000 },
        },
        ...NOTHING,
        bus: { socket, token },
      });
      await actor.ended;
      const { sent, accepted, denied = 0, muted = 0, other } = actor.counts;
      assert.deepEqual({ sent, accepted, other }, { sent: 5000, accepted: 0, other: 0 });
      assert.equal(denied + muted, 5000);
      assert.ok(denied >= 200 && muted > 0, `${denied} denied, ${muted} muted`);
      assert.ok(broker.statistics().denied >= denied);
    } finally {
      await broker.close();
      rmSync(home, { recursive: true, force: true });
    }
  });
});
