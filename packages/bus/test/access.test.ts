import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AclDocument, GraceError } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { codeOf, createBed, identity, isBalanced, rules, tally, WIRES } from './bed.ts';

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
