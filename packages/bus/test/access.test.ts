import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';
import type { AclDocument, GraceError } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { codeOf, createBed, identity, isBalanced, MUTE, rules, tally, WIRES } from './bed.ts';

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

    test('rights that are taken away end their subscriptions with a code, and hold for what waits already', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const reader = await bed.connect(wire, 'plain', outside);
      const writer = await bed.connect(wire, 'writer', outside);
      const got: string[] = [];
      const ended: string[] = [];
      const stuck = Promise.withResolvers<void>();
      const slow = { onEnd: ({ code, message }: GraceError) => void ended.push(`${code} ${message}`) } as const;
      await reader.subscribe('log.*', () => {}, slow);
      await reader.subscribe('system.events.>', ({ subject }) => {
        got.push(subject);
        return stuck.promise;
      });
      const send = (subject: string, count: number) =>
        Promise.all(Array.from({ length: count }, () => writer.publish(subject, 1)));
      // More than the window of the subscription: the rest waits in the broker.
      await send('system.events.open', 1024);
      await send('system.events.later', 300);
      await poll('the window is full', () => got.length === 1024);
      const denied = { subscribe: ['system.events.later', 'log.>'] };
      const reads = rules(['fresh.>'], ['system.events.>', 'log.*'], denied);
      const acl = { ...ACL, principals: { ...ACL.principals, plain: reads } };
      assert.equal(await codeOf(reader.publish('fresh.a', 1)), 'BUS_DENIED');
      assert.equal(bed.broker.setAcl(acl), 1);
      assert.equal(await codeOf(reader.publish('fresh.a', 1)), 'accepted');
      await poll('it is told', () => ended.length === 1);
      assert.match(ended[0]!, /^BUS_DENIED plain may not subscribe to "log\.\*": denied/);
      assert.equal(bed.broker.statistics().families['system']!.rejected, 300);
      stuck.resolve();
      await send('system.events.later', 10);
      await send('system.events.open', 1);
      await poll('what is allowed comes', () => got.length === 1025);
      assert.equal(got.includes('system.events.later'), false);
      assert.ok(isBalanced(bed.broker.statistics()));
    });

    test('rules that are no rules are refused, and those before stay', async (t) => {
      const bed = await createBed({ acl: ACL });
      t.after(() => bed.close());
      const intruder = await bed.connect(wire, 'intruder', outside);
      const bad = { kernels: rules([], []), principals: { intruder: rules(['>'], ['a..b']) } };
      assert.throws(() => bed.broker.setAcl(bad), { code: 'CONFIG_INVALID', message: /intruder.subscribe.allow\[0\]/ });
      assert.equal(await codeOf(intruder.publish('task.own.a', 1)), 'accepted');
      assert.equal(await codeOf(intruder.publish('task.other', 1)), 'BUS_DENIED');
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

test('a grant is for one answer: a second one, and one to what was never delivered, reach nobody', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const [asker, answerer] = [bed.raw('asker'), bed.raw('answerer')];
  const delivered: number[] = [];
  const answers: unknown[] = [];
  answerer.on('message', (frame: unknown[]) => {
    if (frame[0] === 'subscribed') ask();
    if (frame[0] === 'batch' && frame[2] === 1) delivered.push(frame[1] as number);
  });
  asker.on('message', (frame: unknown[]) => {
    if (frame[0] !== 'batch') return;
    for (let at = frame.length - (frame[5] as number); at < frame.length; at += 3)
      answers.push(frame.slice(at, at + 3));
  });
  let asked = 0;
  const ask = (): void =>
    asker.postMessage(['batch', ++asked, 1, 0, 0, 0, 'ask', 1 | 4, `id-${asked}`, nowMono() + 60_000, null, 1]);
  const answer = (delivery: number, payload: string): void =>
    answerer.postMessage(['batch', 1, 0, 0, 0, 3, delivery, 1, JSON.stringify(payload)]);
  for (const port of [asker, answerer]) port.postMessage(['hello', 1, 1024, 1e6, null]);
  answerer.postMessage(['subscribe', 1, 'ask', null, null]);
  await poll('it is asked', () => delivered.length === 1);
  const [first] = delivered as [number];
  answer(first + 1, 'too early');
  answer(first, 'first');
  answer(first, 'second');
  await poll('it is answered', () => answers.length > 0);
  ask();
  await poll('the next is asked', () => delivered.length === 2);
  answer(first, 'third');
  answer(first + 1, 'next');
  await poll('that is answered', () => answers.length > 1);
  assert.deepEqual(answers, [
    [1, 1, '"first"'],
    [2, 1, '"next"'],
  ]);
});

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
