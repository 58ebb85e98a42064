import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message } from '@grace/bus/client';
import { poll } from '@grace/testkit';
import { codeOf, createBed, isBalanced, tally, WIRES } from './bed.ts';

/** What a subscriber's window of 4 and the broker's queue of 1024 take before it pushes back. */
const TAKEN = 4 + 1024;

for (const wire of WIRES) {
  describe(`over a ${wire}`, () => {
    test('a slow subscriber pushes back on the publishers of its subjects, and on nobody else', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const publisher = await bed.connect(wire, 'alpha');
      const slow = await bed.connect(wire, 'slow', { creditMessages: 4 });
      const release: (() => void)[] = [];
      const got: number[] = [];
      await slow.subscribe('task.slow', ({ payload }) => {
        got.push(payload as number);
        return new Promise((resolve) => release.push(resolve));
      });
      await slow.subscribe('task.fast', () => {});
      const codes = Array.from({ length: TAKEN + 10 }, (_, n) =>
        codeOf(publisher.publish('task.slow', n, { deadlineMs: n < TAKEN ? 60_000 : 300 })),
      );
      assert.equal(await codeOf(publisher.publish('task.fast', 1)), 'accepted');
      assert.deepEqual(tally(await Promise.all(codes)), { accepted: TAKEN, BUS_OVERLOADED: 10 });
      assert.equal(bed.broker.statistics().waiting, TAKEN);
      assert.equal(got.length, 4);
      const late = codeOf(publisher.publish('task.slow', TAKEN, { deadlineMs: 60_000 }));
      const open = setInterval(() => release.splice(0).forEach((go) => void go()), 1);
      assert.equal(await late, 'accepted');
      await poll('all are handled', () => bed.broker.statistics().waiting === 0);
      clearInterval(open);
      assert.deepEqual(
        got,
        Array.from({ length: TAKEN + 1 }, (_, n) => n),
      );
      assert.ok(isBalanced(bed.broker.statistics()));
    });

    test('telemetry drops the oldest for a slow subscriber and counts it as expired', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const publisher = await bed.connect(wire, 'alpha');
      const slow = await bed.connect(wire, 'slow', { creditMessages: 4 });
      const got: number[] = [];
      const release: (() => void)[] = [];
      await slow.subscribe('telemetry.>', ({ payload }) => {
        got.push(payload as number);
        return new Promise((resolve) => release.push(resolve));
      });
      const all = Array.from({ length: TAKEN + 500 }, (_, n) => n);
      assert.deepEqual(tally(await Promise.all(all.map((n) => codeOf(publisher.publish('telemetry.n', n))))), {
        accepted: all.length,
      });
      const { expired, waiting } = bed.broker.statistics();
      assert.deepEqual({ expired, waiting }, { expired: 500, waiting: TAKEN });
      const open = setInterval(() => release.splice(0).forEach((go) => void go()), 1);
      await poll('all are handled', () => bed.broker.statistics().waiting === 0);
      clearInterval(open);
      assert.deepEqual(got, [...all.slice(0, 4), ...all.slice(504)]);
    });

    test('a message a handler rejects is counted rejected, one nobody subscribes to handled', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      await b.subscribe('task.bad', async () => {
        throw new Error('no');
      });
      await b.subscribe('task.*', () => {});
      await a.publish('task.bad', 1);
      await a.publish('lonely', 1);
      const statistics = await poll('all is settled', () => {
        const now = bed.broker.statistics();
        return now.waiting === 0 ? now : undefined;
      });
      const { accepted, handled, rejected } = statistics;
      assert.deepEqual({ accepted, handled, rejected }, { accepted: 3, handled: 2, rejected: 1 });
      assert.equal(statistics.families['lonely']!.handled, 1);
    });

    test('what a subscriber had not handled when it left is rejected, or goes to another of its group', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const publisher = await bed.connect(wire, 'alpha');
      const leaver = await bed.connect(wire, 'leaver', { creditMessages: 2 });
      const hold = (): Promise<void> => new Promise(() => {});
      await leaver.subscribe('task.shared', hold, { queue: 'g' });
      await leaver.subscribe('task.own', hold);
      for (let n = 0; n < 5; n++) {
        await publisher.publish('task.shared', n);
        await publisher.publish('task.own', n);
      }
      const heir = await bed.connect(wire, 'heir');
      const got: unknown[] = [];
      await heir.subscribe('task.shared', ({ payload }) => void got.push(payload), { queue: 'g' });
      await leaver.close();
      await poll('the heir has the rest', () => got.length === 3);
      assert.deepEqual(got, [2, 3, 4]);
      const statistics = await poll('all is settled', () => {
        const now = bed.broker.statistics();
        return now.waiting === 0 ? now : undefined;
      });
      assert.equal(statistics.rejected, 2 + 5);
      assert.ok(isBalanced(statistics));
    });

    test('control overtakes what waits in front of a slow subscriber', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const publisher = await bed.connect(wire, 'alpha');
      const slow = await bed.connect(wire, 'slow', { creditMessages: 4 });
      const got: Message[] = [];
      await slow.subscribe('>', (message) => {
        got.push(message);
        return new Promise(() => {});
      });
      const flood = Array.from({ length: TAKEN + 100 }, (_, n) =>
        codeOf(publisher.publish('task.flood', n, { priority: 'bulk', deadlineMs: 300 })),
      );
      await publisher.publish('task.urgent', 1, { priority: 'control' });
      await publisher.publish('system.control.stop', 2, { priority: 'bulk' });
      await poll('control has arrived', () => got.some(({ subject }) => subject === 'system.control.stop'));
      assert.deepEqual(
        got.filter(({ priority }) => priority === 'control').map(({ subject }) => subject),
        ['task.urgent', 'system.control.stop'],
      );
      assert.equal(got.length, 6);
      await Promise.all(flood);
    });

    test('control published in the middle of a flood is handled after at most one batch at each station', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const publisher = await bed.connect(wire, 'alpha', { outboxLimit: 100_000 });
      const subscriber = await bed.connect(wire, 'beta');
      const [batch, stations] = [256, 3];
      let flooded = 0;
      const behind: number[] = [];
      await subscriber.subscribe('system.control.*', ({ payload }) => void behind.push(flooded - (payload as number)));
      await subscriber.subscribe('task.>', () => {
        if (++flooded % 3000 === 0) void publisher.publish('system.control.now', flooded);
      });
      const flood = Array.from({ length: 20_000 }, (_, n) =>
        publisher.publish('task.flood', n, { priority: 'bulk', deadlineMs: 60_000 }),
      );
      await Promise.all(flood);
      await poll('all is handled', () => flooded === flood.length && behind.length === 6);
      assert.ok(Math.max(...behind) <= stations * batch, `handled in between: ${behind}`);
    });

    test('the outbox is bounded: what does not fit is refused at once', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const publisher = await bed.connect(wire, 'alpha', { outboxLimit: 100 });
      const codes = await Promise.all(Array.from({ length: 150 }, (_, n) => codeOf(publisher.publish('task.n', n))));
      assert.deepEqual(tally(codes), { accepted: 100, BUS_OVERLOADED: 50 });
      assert.equal(publisher.counters().outbox, 0);
    });

    test('a client has no more undecided than its window, in messages and in bytes', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const slow = await bed.connect(wire, 'slow', { creditMessages: 1_000_000, creditBytes: 1000 });
      const publisher = await bed.connect(wire, 'alpha');
      const release: (() => void)[] = [];
      await slow.subscribe('task.n', () => new Promise((resolve) => release.push(resolve)));
      await Promise.all(Array.from({ length: 50 }, () => publisher.publish('task.n', 'x'.repeat(298))));
      await poll('the window is full', () => release.length === 3);
      await publisher.publish('other', 1);
      assert.equal(release.length, 3);
      release.shift()!();
      await poll('one more came', () => release.length === 3);
    });
  });
}
