import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createBroker } from '@grace/bus/broker';
import type { FaultKind } from '@grace/contracts';
import { signBusToken } from '@grace/control';
import { poll } from '@grace/testkit';
import { segmentBytes } from '../../test/segment-bytes.ts';
import { type ActorProcess, startActor } from '../fault/actor-process.ts';
import type { ActorOrder } from './protocol.ts';

const entry = join(import.meta.dirname, 'main.ts');
const SUBJECT = 'task.code_refactor';

const leaseOf = (kind: FaultKind, params: Record<string, unknown>, ttlMs = 60_000): ActorOrder['lease'] => ({
  ...{ id: 'l1', kind, durationMs: 60_000, ttlMs },
  params,
});

function folder(t: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), 'grace-actor-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

async function started(t: TestContext): Promise<ActorProcess> {
  const actor = await startActor(entry, 30_000);
  t.after(() => actor.stop(0));
  return actor;
}

describe('a flood of work', () => {
  /** A broker with the rules of the drill, and what an actor needs to come in. */
  async function bed(t: TestContext) {
    const home = folder(t);
    const key = new Uint8Array(32).fill(7);
    const side = (...allow: string[]) => ({ allow, deny: [] });
    const broker = createBroker({
      acl: {
        kernels: { publish: side(), subscribe: side() },
        principals: {
          flood_test: { publish: side(SUBJECT), subscribe: side() },
          flood_consumer: { publish: side(), subscribe: side(SUBJECT) },
        },
      },
      mute: { enabled: true, threshold: 200, windowMs: 1000, periodMs: 60_000, periodMaxMs: 60_000 },
      maxPayloadBytes: 1e6,
      durable: { dir: home },
    });
    t.after(() => broker.close());
    const socket = join(home, 'bus.sock');
    await broker.open();
    await broker.listen(socket, key);
    const access = (principal: string) => ({
      socket,
      token: signBusToken({ principal, incarnation: 1, messagesPerSecond: 1e6, kernel: false }, key),
    });
    const order = (params: Record<string, unknown>, ttlMs?: number): ActorOrder => ({
      lease: leaseOf('topic_flood', { subject: SUBJECT, ...params }, ttlMs),
      bus: access('flood_test'),
      consumer: access('flood_consumer'),
      ledger: null,
    });
    return { broker, order };
  }

  test('ends when every message that was accepted has been handled, by the count of its own two ends', async (t) => {
    const { broker, order } = await bed(t);
    const actor = await started(t);
    actor.begin(order({ messages: 400, perSecond: 2000, consumePerSecond: 100, catchUpPerSecond: 5000 }));
    await poll('something waits for the slow consumer', () => broker.statistics().waiting > 100);
    assert.equal((await actor.ended).why, 'done');
    const { sent, accepted, handled, unhandled, repeated } = actor.counts;
    assert.deepEqual([sent, accepted, handled, unhandled, repeated], [400, 400, 400, 0, 0]);
    assert.equal(broker.statistics().waiting, 0);
  });

  test('without bound is refused for its size, and what was taken of it is handled', async (t) => {
    const { order } = await bed(t);
    const actor = await started(t);
    // More than the publisher may keep back and the broker may hold for one who takes nothing.
    actor.begin(order({ messages: 30_000, consumePerSecond: 1, catchUpPerSecond: 1e6 }));
    await actor.ended;
    const { accepted, overloaded, handled, unhandled } = actor.counts;
    assert.ok(accepted! > 0 && overloaded! > 0, `${accepted} accepted, ${overloaded} overloaded`);
    assert.deepEqual([handled! >= accepted!, unhandled], [true, 0]);
  });

  test('whose lease lapses ends, and its consumer leaves the bus with all that waits', async (t) => {
    const { broker, order } = await bed(t);
    const actor = await started(t);
    actor.begin(order({ messages: 300, perSecond: 3000, consumePerSecond: 1 }, 1500));
    await poll('something waits', () => broker.statistics().waiting > 100);
    assert.equal((await actor.ended).why, 'lapsed');
    assert.ok(actor.counts['unhandled']! > 0);
    await poll('nothing waits any more', () => broker.statistics().waiting === 0);
    assert.deepEqual(broker.consumers(), []);
  });

  test('without an end, or to nowhere, is refused', async (t) => {
    const { order } = await bed(t);
    for (const [params, message] of [
      [{}, /messages or floodMs/],
      [{ messages: 1, subject: 7 }, /params\.subject/],
      [{ messages: 1, perSecond: 0 }, /params\.perSecond: expected a number above 0/],
    ] as const) {
      const actor = await started(t);
      actor.begin(order(params));
      await assert.rejects(actor.ended, { code: 'BAD_INPUT', message });
    }
  });
});

describe('damage to the record', () => {
  function bed(t: TestContext) {
    const home = folder(t);
    const ledger = { folder: join(home, 'ledger'), keep: join(home, 'kept') };
    mkdirSync(ledger.folder);
    const path = join(ledger.folder, '0000000000000001.segment');
    const { bytes } = segmentBytes(30);
    writeFileSync(path, bytes);
    const order = (damage: string, ttlMs?: number): ActorOrder => ({
      ...{ lease: leaseOf('log_damage', { damage }, ttlMs), bus: null, consumer: null },
      ledger,
    });
    return { bytes, order, read: () => readFileSync(path), repair: () => writeFileSync(path, bytes) };
  }

  test('is done by when it says so, and over when somebody repairs it', async (t) => {
    const { bytes, order, read, repair } = bed(t);
    const actor = await started(t);
    actor.begin(order('flip'));
    await poll('it acts', () => actor.actingMono !== null);
    assert.notDeepEqual(read(), bytes);
    repair();
    assert.equal((await actor.ended).why, 'done');
    assert.deepEqual([actor.counts['stillThere'], actor.counts['takenBack']], [0, 0]);
  });

  for (const damage of ['flip', 'remove']) {
    test(`that nobody repairs is put back when its lease ends: ${damage}`, async (t) => {
      const { bytes, order, read } = bed(t);
      const actor = await started(t);
      actor.begin(order(damage, 1500));
      await poll('it acts', () => actor.actingMono !== null);
      assert.notDeepEqual(read(), bytes);
      assert.equal((await actor.ended).why, 'lapsed');
      assert.deepEqual(read(), bytes);
      assert.equal(actor.counts['takenBack'], 1);
    });
  }

  test('of a kind that nobody knows is refused', async (t) => {
    const { order } = bed(t);
    const actor = await started(t);
    actor.begin(order('burn'));
    await assert.rejects(actor.ended, { code: 'BAD_INPUT', message: /expected flip or remove/ });
  });
});
