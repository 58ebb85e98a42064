import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AclDocument } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { codeOf, createBed, identity, isBalanced, MUTE, rules, tally, WIRES } from './bed.ts';

const ACL: AclDocument = {
  kernels: rules(['kernel.{self}.event.>'], ['kernel.{self}.>']),
  principals: {
    intruder: rules(['task.own.>'], [], { publish: ['system.control.>'] }),
    reader: rules([], ['system.events.>', 'log.*'], { subscribe: ['system.events.secret.>'] }),
    writer: rules(['>'], ['>']),
    librarian: rules(['task.>'], ['task.>'], { publish: ['task.secret'] }),
  },
};
const outside = { identity: { kernel: false } };

for (const wire of WIRES) {
  describe(`over a ${wire}`, () => {
    test('no rule means denied, deny beats allow, {self} is the principal, kernels have their rules beside their own', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const kernel = await bed.connect(wire, 'librarian');
      assert.equal(await codeOf(kernel.publish('kernel.librarian.event.done', 1)), 'accepted');
      assert.equal(await codeOf(kernel.publish('kernel.scheduler.event.done', 1)), 'BUS_DENIED');
      assert.equal(await codeOf(kernel.publish('task.one', 1)), 'accepted');
      assert.equal(await codeOf(kernel.publish('task.secret', 1)), 'BUS_DENIED');
      assert.equal(await codeOf(kernel.subscribe('kernel.librarian.call.*', () => {})), 'accepted');
      assert.equal(await codeOf(kernel.subscribe('kernel.*.call.*', () => {})), 'BUS_DENIED');
      const imposter = await bed.connect(wire, 'librarian', outside);
      assert.equal(await codeOf(imposter.publish('kernel.librarian.event.done', 1)), 'BUS_DENIED');
      const stranger = await bed.connect(wire, 'stranger', outside);
      assert.equal(await codeOf(stranger.publish('task.one', 1)), 'BUS_DENIED');
      await assert.rejects(stranger.publish('task.one', 1), /stranger/);
    });

    test('who subscribes to more than is denied gets the rest only', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const writer = await bed.connect(wire, 'writer', outside);
      const reader = await bed.connect(wire, 'reader', outside);
      const got: string[] = [];
      await reader.subscribe('system.events.>', ({ subject }) => void got.push(subject));
      assert.equal(await codeOf(reader.subscribe('system.events.secret.a', () => {})), 'BUS_DENIED');
      assert.equal(await codeOf(reader.subscribe('system.>', () => {})), 'BUS_DENIED');
      for (const subject of ['system.events.secret.a', 'system.events.open.a']) await writer.publish(subject, 1);
      await poll('the open one arrived', () => got.length > 0);
      assert.deepEqual(got, ['system.events.open.a']);
    });

    test('an answer needs no rule, a second request does', async (t) => {
      const acl: AclDocument = {
        kernels: rules([], []),
        principals: { asker: rules(['ask.*'], []), answerer: rules([], ['ask.*']) },
      };
      const bed = await createBed({ acl });
      t.after(() => bed.close());
      const asker = await bed.connect(wire, 'asker');
      const answerer = await bed.connect(wire, 'answerer');
      await answerer.subscribe('ask.*', (message) => message.reply('yes'));
      assert.equal(await asker.request('ask.it', null), 'yes');
      assert.equal(await codeOf(answerer.request('ask.it', null)), 'BUS_DENIED');
    });

    test('denied messages are counted, told at a bounded rate, and mute their sender', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const intruder = await bed.connect(wire, 'intruder', outside);
      const codes = await Promise.all(
        Array.from({ length: 1000 }, () => codeOf(intruder.publish('system.control.stop', 1))),
      );
      assert.deepEqual(tally(codes), { BUS_DENIED: MUTE.threshold, BUS_MUTED: 1000 - MUTE.threshold });
      assert.equal(await codeOf(intruder.publish('task.own.a', 1)), 'BUS_MUTED');
      const statistics = bed.broker.statistics();
      assert.deepEqual(
        [statistics.accepted, statistics.denied, statistics.families['system']!.denied],
        [0, 1001, 1000],
      );
      assert.deepEqual(statistics.principals['intruder'], { published: 0, denied: 1001 });
      assert.deepEqual(
        statistics.muted.map(({ principal, denied }) => ({ principal, denied })),
        [{ principal: 'intruder', denied: 1001 }],
      );
      const told = () => bed.events.filter(({ type }) => type === 'denied' || type === 'muted');
      assert.deepEqual(told(), [
        { type: 'denied', principal: 'intruder', subject: 'system.control.stop', count: 1, sinceMs: 0 },
        { type: 'muted', principal: 'intruder', periodMs: MUTE.periodMs, denied: MUTE.threshold },
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
      await poll('the mute is over', () => unmutes() === 1);
      assert.equal(await codeOf(intruder.publish('task.own.a', 1)), 'accepted');
      await offend();
      assert.deepEqual(mutes(), [100, 200]);
      assert.equal(bed.broker.unmute('intruder'), true);
      assert.equal(bed.broker.unmute('intruder'), false);
      assert.equal(unmutes(), 2);
      assert.equal(await codeOf(intruder.publish('task.own.a', 1)), 'accepted');
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

    test('a permit opens what no rule names until it is revoked or over, and lifts no deny', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const intruder = await bed.connect(wire, 'intruder', outside);
      const writer = await bed.connect(wire, 'writer', outside);
      const now = () => Number(process.hrtime.bigint()) / 1e6;
      const wish = { principal: 'intruder', publish: ['drill.>', 'system.control.>'], subscribe: ['drill.>'] };
      const got: unknown[] = [];
      assert.equal(await codeOf(intruder.publish('drill.a', 1)), 'BUS_DENIED');
      const permit = bed.broker.permit({ ...wish, untilMono: now() + 60_000 });
      assert.deepEqual(bed.broker.permits(), [permit]);
      assert.equal(await codeOf(intruder.publish('drill.a', 1)), 'accepted');
      const another = await bed.connect(wire, 'another', outside);
      assert.equal(await codeOf(another.publish('drill.a', 1)), 'BUS_DENIED');
      assert.equal(await codeOf(intruder.publish('system.control.stop', 1)), 'BUS_DENIED');
      assert.equal(await codeOf(writer.publish('drill.a', 1)), 'accepted');
      await intruder.subscribe('drill.>', ({ payload }) => void got.push(payload));
      await writer.publish('drill.a', 'permitted');
      await poll('it arrived', () => got.length === 1);
      assert.equal(bed.broker.revoke(permit.id), true);
      assert.equal(bed.broker.revoke(permit.id), false);
      assert.equal(await codeOf(intruder.publish('drill.a', 1)), 'BUS_DENIED');
      assert.equal(await codeOf(writer.request('drill.a', 1)), 'BUS_NO_RESPONDERS');
      bed.broker.permit({ ...wish, untilMono: now() + 100 });
      assert.equal(await codeOf(intruder.subscribe('drill.>', () => {})), 'accepted');
      await poll('the permit is over', () => bed.broker.permits().length === 0);
      assert.equal(await codeOf(intruder.publish('drill.a', 1)), 'BUS_DENIED');
      await poll(
        'its subscription too',
        async () => (await codeOf(writer.request('drill.a', 1))) === 'BUS_NO_RESPONDERS',
      );
    });

    test('new access rules hold for those who are connected', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const librarian = await bed.connect(wire, 'librarian');
      const writer = await bed.connect(wire, 'writer', outside);
      await librarian.subscribe('task.>', () => {});
      assert.equal(await codeOf(librarian.publish('task.one', 1)), 'accepted');
      bed.broker.setAcl({ kernels: rules([], []), principals: { writer: rules(['>'], ['>']) } });
      assert.equal(await codeOf(librarian.publish('task.one', 1)), 'BUS_DENIED');
      assert.equal(await codeOf(writer.request('task.one', 1)), 'BUS_NO_RESPONDERS');
    });

    test('more messages a second than granted are refused with BUS_OVERLOADED', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const hasty = await bed.connect(wire, 'hasty', { identity: { messagesPerSecond: 50 } });
      const codes = tally(await Promise.all(Array.from({ length: 500 }, () => codeOf(hasty.publish('task.a', 1)))));
      assert.ok(codes['accepted']! >= 50 && codes['accepted']! < 400, JSON.stringify(codes));
      assert.equal(codes['accepted']! + codes['BUS_OVERLOADED']!, 500);
      await poll('it may again', async () => (await codeOf(hasty.publish('task.a', 1))) === 'accepted');
      assert.ok(isBalanced(bed.broker.statistics()));
    });
  });
}

test('a rule that is no pattern is refused with its place', async () => {
  await assert.rejects(createBed({ acl: { kernels: rules([], []), principals: { a: rules(['ok', 'a..b'], []) } } }), {
    code: 'CONFIG_INVALID',
    message: /principals\.a\.publish\.allow\[1\]: "a\.\.b"/,
  });
});

test('a principal that is a wildcard is turned away', async (t) => {
  const bed = await createBed({ acl: ACL });
  t.after(() => bed.close());
  for (const principal of ['*', '>', 'a.b', '']) {
    assert.throws(() => bed.raw(principal, identity(principal)), { code: 'BUS_UNAUTHENTICATED' });
  }
});
