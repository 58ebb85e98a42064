import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';
import type { AclDocument } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { codeOf, createBed, identity, MUTE, rules, tally, WIRES } from './bed.ts';

const ACL: AclDocument = {
  kernels: rules(['kernel.{self}.event.>'], ['kernel.{self}.>']),
  principals: {
    intruder: rules(['task.own.>'], [], { publish: ['system.control.>'] }),
    plain: rules([], ['system.events.>', 'log.*']),
    reader: rules([], ['system.events.>', 'log.*'], { subscribe: ['system.events.secret.>'] }),
    writer: rules(['>'], ['>']),
    librarian: rules(['task.>'], ['task.>'], { publish: ['task.secret'] }),
  },
};
const outside = { identity: { kernel: false } };
const nowMono = (): number => Number(process.hrtime.bigint()) / 1e6;

for (const wire of WIRES) {
  describe(`over a ${wire}`, () => {
    test('denied messages are counted, told at a bounded rate, and mute their sender', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const intruder = await bed.connect(wire, 'intruder', outside);
      const codes = await Promise.all(
        Array.from({ length: 1000 }, () => codeOf(intruder.publish('system.control.stop', 1))),
      );
      assert.deepEqual(tally(codes), { BUS_DENIED: MUTE.threshold, BUS_MUTED: 1000 - MUTE.threshold });
      assert.equal(await codeOf(intruder.publish('task.own.a', 1)), 'BUS_MUTED');
      await poll('all are counted', () => bed.broker.statistics().denied === 1001);
      const statistics = bed.broker.statistics();
      assert.deepEqual(
        [statistics.accepted, statistics.denied, statistics.families['system']!.denied],
        [0, 1001, 1000],
      );
      const { latency: _, mutedUntilMono, ...seen } = statistics.principals['intruder']!;
      assert.deepEqual(seen, { published: 0, denied: 1001, lastSubject: 'system.control.stop', level: 1 });
      assert.ok(mutedUntilMono! > Number(process.hrtime.bigint()) / 1e6);
      assert.deepEqual(
        statistics.muted.map(({ principal, denied }) => ({ principal, denied })),
        [{ principal: 'intruder', denied: 1001 }],
      );
      const told = () => bed.events.filter(({ type }) => type === 'denied' || type === 'muted');
      assert.deepEqual(told(), [
        { type: 'denied', principal: 'intruder', subject: 'system.control.stop', count: 1, sinceMs: 0 },
        { type: 'muted', principal: 'intruder', periodMs: MUTE.periodMs, denied: MUTE.threshold, level: 1 },
      ]);
      await poll('the denials before the mute are told', () => told().length === 3);
      assert.equal((told()[2] as { count: number }).count, MUTE.threshold - 1);
    });

    test('a mute ends by itself and by order; the next one is longer', async (t) => {
      const mute = { ...MUTE, threshold: 3, periodMs: 100 };
      const bed = await createBed({ acl: ACL, mute });
      t.after(() => bed.close());
      const intruder = await bed.connect(wire, 'intruder', outside);
      const offend = () => Promise.all([1, 2, 3].map(() => codeOf(intruder.publish('system.control', 1))));
      const mutes = () => bed.events.filter((event) => event.type === 'muted').map(({ periodMs }) => periodMs);
      const unmutes = () => bed.events.filter(({ type }) => type === 'unmuted').length;
      await offend();
      const mayAgain = async () => (await codeOf(intruder.publish('task.own.a', 1))) === 'accepted';
      await poll('the mute is over', () => unmutes() === 1);
      await poll('it may publish again', mayAgain);
      await offend();
      assert.deepEqual(mutes(), [100, 200]);
      assert.equal(bed.broker.unmute('intruder'), true);
      assert.equal(bed.broker.unmute('intruder'), false);
      assert.equal(unmutes(), 2);
      await poll('it may publish again', mayAgain);
      bed.broker.mute('intruder', 60_000);
      assert.equal(await codeOf(intruder.publish('task.own.a', 1)), 'BUS_MUTED');
    });

    test('with mutes switched off a violator is refused for ever and never muted', async (t) => {
      const bed = await createBed({ acl: ACL, mute: { ...MUTE, enabled: false } });
      t.after(() => bed.close());
      const intruder = await bed.connect(wire, 'intruder', outside);
      const codes = await Promise.all(
        Array.from({ length: 1000 }, () => codeOf(intruder.publish('system.control', 1))),
      );
      assert.deepEqual(tally(codes), { BUS_DENIED: 1000 });
      assert.deepEqual(bed.broker.statistics().muted, []);
    });

    test('denials after the first are told together a second later', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const intruder = await bed.connect(wire, 'intruder', outside);
      for (let i = 0; i < 5; i++) await codeOf(intruder.publish('system.control', 1));
      const told = () => bed.events.filter((event) => event.type === 'denied').map(({ count }) => count);
      assert.deepEqual(told(), [1]);
      await poll('the rest is told', () => told().length === 2);
      assert.deepEqual(told(), [1, 4]);
    });

    test('mutes, their level and permits are gone on with by the next broker', async (t) => {
      const mute = { ...MUTE, threshold: 3, periodMs: 60_000, periodMaxMs: 240_000 };
      const first = await createBed({ acl: ACL, mute });
      const intruder = await first.connect(wire, 'intruder', outside);
      await Promise.all([1, 2, 3].map(() => codeOf(intruder.publish('system.control', 1))));
      const wish = { principal: 'writer', publish: [], subscribe: ['drill.>'], untilMono: nowMono() + 60_000 };
      const permit = first.broker.permit(wish, 'governance');
      const { muted } = first.broker.statistics();
      const kept = structuredClone(first.broker.kept());
      await first.close();
      const bed = await createBed({ acl: ACL, mute, kept });
      t.after(() => bed.close());
      assert.deepEqual(bed.broker.permits(), [permit]);
      assert.deepEqual(bed.broker.statistics().muted, [{ ...muted[0], denied: 0 }]);
      assert.deepEqual(
        bed.events.map((event) => (event.type === 'muted' ? [event.principal, event.denied, event.level] : event)),
        [['intruder', 3, 1]],
      );
      const again = await bed.connect(wire, 'intruder', outside);
      await poll('it is told', async () => (await codeOf(again.publish('task.own.a', 1))) === 'BUS_MUTED');
      bed.broker.unmute('intruder', 'cli');
      assert.deepEqual(bed.events.at(-1), { type: 'unmuted', principal: 'intruder', by: 'cli' });
      await poll('it may', async () => (await codeOf(again.publish('task.own.a', 1))) === 'accepted');
      await Promise.all([1, 2, 3].map(() => codeOf(again.publish('system.control', 1))));
      const last = bed.events.findLast((event) => event.type === 'muted');
      assert.deepEqual([last?.periodMs, last?.level], [120_000, 2]);
    });

    test('a mute that ended while no broker was there is told as over', async (t) => {
      const mute = { principal: 'intruder', level: 2, denied: 9, lastSubject: 'x', lastDeniedMono: nowMono() - 500 };
      const kept = { mutes: [{ ...mute, untilMono: nowMono() - 100 }], permits: [] };
      const bed = await createBed({ acl: ACL, kept });
      t.after(() => bed.close());
      assert.deepEqual(bed.events, [{ type: 'unmuted', principal: 'intruder' }]);
      const intruder = await bed.connect(wire, 'intruder', outside);
      assert.equal(await codeOf(intruder.publish('task.own.a', 1)), 'accepted');
      assert.equal(bed.broker.statistics().principals['intruder']!.level, 2);
    });
  });
}

test('a muted client sends nothing: the broker hears one number for thousands, and counts them all', async (t) => {
  const bed = await createBed({ acl: ACL });
  t.after(() => bed.close());
  const client = createBusClient();
  t.after(() => client.close());
  const near = new MessageChannel();
  const far = new MessageChannel();
  t.after(() => {
    near.port2.close();
    far.port1.close();
  });
  const frames: unknown[][] = [];
  near.port2.on('message', (frame: unknown[]) => {
    frames.push(frame);
    far.port1.postMessage(frame);
  });
  far.port1.on('message', (frame) => near.port2.postMessage(frame));
  bed.broker.attach(far.port2, identity('intruder', { kernel: false }));
  client.attach(near.port1);
  await poll('it is connected', () => client.connected);
  bed.broker.mute('intruder', 60_000);
  await poll('it is told', async () => (await codeOf(client.publish('task.own.a', 1))) === 'BUS_MUTED');
  const { denied } = await poll('what it sent is counted', () => {
    const seen = bed.broker.statistics();
    return seen.denied > 0 && seen;
  });
  frames.length = 0;
  const codes = Array.from({ length: 3000 }, (_, i) => codeOf(client.publish(i < 1000 ? 'task.own.a' : 'b.c', 1)));
  assert.deepEqual(tally(await Promise.all(codes)), { BUS_MUTED: 3000 });
  await poll('they are counted', () => bed.broker.statistics().denied === denied + 3000);
  assert.deepEqual(frames, [['withheld', 'task', 1000, 'b', 2000]]);
  assert.equal(bed.broker.statistics().principals['intruder']!.denied, denied + 3000);
});
