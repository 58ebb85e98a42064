import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message } from '@grace/bus/client';
import { poll } from '@grace/testkit';
import { WIRES } from '../bed.ts';
import { assertBalanced, keptBeds } from './bed.ts';

const QUICK = { backoffMs: [1] };

for (const wire of WIRES) {
  describe(`attempts, over a ${wire}`, () => {
    test('a handler that fails gets the message again, with its attempt, and after the last one it is a dead letter', async (t) => {
      const bed = await keptBeds(t).start();
      const [publisher, subscriber] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const attempts: number[] = [];
      const dead: Message[] = [];
      await subscriber.subscribe('dead.>', (message) => void dead.push(message));
      await subscriber.subscribe(
        'task.a',
        (message) => {
          attempts.push(message.attempt);
          throw new Error(`no. ${message.attempt}`);
        },
        { durable: { ...QUICK, maxAttempts: 3 } },
      );
      const { id } = await publisher.publish('task.a', { n: 1 });
      await poll('it is dead', () => bed.durable().dead === 1 && dead.length === 1);
      assert.deepEqual(attempts, [1, 2, 3]);
      assert.deepEqual(
        [dead[0]!.subject, dead[0]!.from, dead[0]!.id, dead[0]!.payload],
        ['dead.task.a', 'alpha', id, { n: 1 }],
      );
      const { letters, total, next } = await bed.broker.deadLetters({ payload: true });
      assert.equal(total, 1);
      assert.equal(next, null);
      const { at, diedAt, bytes, ...letter } = letters[0]!;
      assert.ok(diedAt >= at && bytes > 0);
      assert.deepEqual(letter, {
        id: 1,
        messageId: id,
        subject: 'task.a',
        from: 'alpha',
        consumer: 'beta/task.a',
        attempts: 3,
        reason: 'rejected',
        error: 'no. 3',
        payload: { n: 1 },
      });
      assert.equal(bed.broker.statistics().families['task']!.deadLettered, 1);
      assertBalanced(bed);
      assert.deepEqual(bed.events.filter(({ type }) => type === 'dead-letter').length, 1);
    });

    test('a dead letter outlives its broker, is replayed from the first attempt, or purged', async (t) => {
      const beds = keptBeds(t);
      const first = await beds.start({ ...QUICK, maxAttempts: 1 });
      const publisher = await first.connect(wire, 'alpha');
      const grim = await first.connect(wire, 'beta');
      await grim.subscribe('task.>', () => Promise.reject(new Error('never')));
      for (const subject of ['task.a', 'task.b', 'task.c']) await publisher.publish(subject, subject);
      await poll('all are dead', () => first.durable().dead === 3);
      await first.close();

      const second = await beds.start();
      assert.equal(second.durable().dead, 3);
      const got: [string, number][] = [];
      const subscriber = await second.connect(wire, 'beta');
      await subscriber.subscribe('task.>', ({ subject, attempt }) => void got.push([subject, attempt]));
      assert.equal(await second.broker.replay({ subject: 'task.a' }), 1);
      assert.equal(await second.broker.purge({ id: 2 }), 1);
      await assert.rejects(second.broker.replay({ id: 2 }), { code: 'NOT_FOUND' });
      assert.equal(await second.broker.replay({}), 1);
      await poll('both came', () => got.length === 2);
      assert.deepEqual(got, [
        ['task.a', 1],
        ['task.c', 1],
      ]);
      await poll('all is settled', () => second.durable().waiting === 0);
      assert.equal(second.durable().dead, 0);
      assertBalanced(second);
    });

    test('failed attempts outlive the broker, its own death is none', async (t) => {
      const beds = keptBeds(t);
      const attempts: number[] = [];
      const held: number[] = [];
      for (const life of [1, 2, 3]) {
        const bed = await beds.start({ maxAttempts: 3, backoffMs: [60_000] });
        const [publisher, subscriber] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
        const before = attempts.length;
        await subscriber.subscribe('task.*', ({ subject, attempt }) => {
          if (subject === 'task.held') {
            held.push(attempt);
            return new Promise(() => {});
          }
          attempts.push(attempt);
          throw new Error(`no. ${attempt}`);
        });
        if (life === 1) await Promise.all([publisher.publish('task.a', 1), publisher.publish('task.held', 1)]);
        await poll('it failed once more', () => attempts.length > before);
        // A commit after the failure was heard of is behind the one that keeps it.
        await poll('it is heard of', () => bed.broker.consumers()[0]!.unacknowledged === 1);
        await publisher.publish('incident.x', 1);
        if (life === 3) await poll('the third was the last', () => bed.durable().dead === 1);
        await bed.close();
      }
      assert.equal(attempts.length, 3);
      assert.deepEqual(held, [1, 2, 2]);
      assert.ok(attempts[1]! >= 2 && attempts[2]! >= 3, `${attempts}`);
      const last = await beds.start();
      assert.equal((await last.broker.deadLetters({})).letters[0]!.attempts, 3);
      assert.equal(last.durable().waiting, 4);
    });

    test('an attempt that is not acknowledged in time has failed, and a late acknowledgement still counts', async (t) => {
      const bed = await keptBeds(t).start();
      const [publisher, subscriber] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const taken: Message[] = [];
      await subscriber.subscribe('task.a', (message) => void taken.push(message), {
        ack: 'manual',
        durable: { ackWaitMs: 50, backoffMs: [1, 1, 60_000], maxAttempts: 5 },
      });
      await publisher.publish('task.a', 1);
      await poll('it had three attempts', () => taken.length === 3);
      assert.deepEqual(
        taken.map(({ attempt }) => attempt),
        [1, 2, 3],
      );
      taken[0]!.ack();
      await poll('it is settled', () => bed.durable().waiting === 0);
      assert.equal(bed.broker.statistics().families['task']!.handled, 1);
    });

    test('by hand: the first of ack and nak counts, a pause is kept, and returning says nothing', async (t) => {
      const bed = await keptBeds(t).start({ backoffMs: [60_000] });
      const [publisher, subscriber] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const taken: Message[] = [];
      await subscriber.subscribe('task.a', (message) => void taken.push(message), { ack: 'manual' });
      await publisher.publish('task.a', 1);
      await poll('it came', () => taken.length === 1);
      assert.equal(bed.durable().waiting, 1);
      taken[0]!.nak({ delayMs: 10 });
      taken[0]!.ack();
      await poll('it came again', () => taken.length === 2);
      assert.equal(taken[1]!.attempt, 2);
      const confirmed = taken[1]!.confirmed();
      taken[1]!.ack();
      taken[1]!.nak({ delayMs: 1 });
      await confirmed;
      assert.equal(bed.durable().waiting, 0);
      await assert.rejects(taken[1]!.confirmed(), { code: 'NOT_FOUND' });
    });
  });
}

test('a handler that says that it goes on keeps its attempt', async (t) => {
  const bed = await keptBeds(t).start();
  const [publisher, subscriber] = [await bed.connect('port', 'alpha'), await bed.connect('socket', 'beta')];
  const ackWaitMs = 2000;
  const attempts: number[] = [];
  let beats: NodeJS.Timeout | undefined;
  t.after(() => clearInterval(beats));
  await subscriber.subscribe(
    'task.a',
    async (message) => {
      attempts.push(message.attempt);
      beats = setInterval(() => message.inProgress(), 50);
      await new Promise((resolve) => setTimeout(resolve, ackWaitMs * 1.4));
    },
    { durable: { ackWaitMs, backoffMs: [1] } },
  );
  await publisher.publish('task.a', 1);
  await poll('it is settled', () => attempts.length > 0 && bed.durable().waiting === 0);
  assert.deepEqual(attempts, [1]);
});
