import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message } from '@grace/bus/client';
import { poll } from '@grace/testkit';
import { codeOf, createBed, tally, WIRES } from '../bed.ts';
import { assertBalanced, keptBeds } from './bed.ts';

for (const wire of WIRES) {
  describe(`durable, over a ${wire}`, () => {
    test('what is published before anybody subscribes waits for the first consumer, also in the next broker', async (t) => {
      const beds = keptBeds(t);
      const first = await beds.start();
      const publisher = await first.connect(wire, 'alpha');
      const sent = Array.from({ length: 600 }, (_, n) => n);
      await Promise.all(sent.map((n) => publisher.publish('task.a', n, n % 2 ? { correlation: `c${n}` } : {})));
      await publisher.publish('incident.b', new Date(5));
      assert.equal(first.durable().unclaimed, 601);
      assertBalanced(first);
      await first.close();

      const second = await beds.start();
      assert.equal(second.durable().unclaimed, 601);
      assert.equal(second.broker.statistics().families['task']!.accepted, 600);
      assertBalanced(second);
      const got: Message[] = [];
      const subscriber = await second.connect(wire, 'beta');
      await subscriber.subscribe('task.*', (message) => void got.push(message));
      await poll('all came', () => got.length === 600);
      assert.deepEqual(
        got.map(({ payload }) => payload),
        sent,
      );
      assert.deepEqual([got[1]!.correlation, got[1]!.from, got[1]!.durable, got[1]!.attempt], ['c1', 'alpha', true, 1]);
      await poll('all are acknowledged', () => second.durable().waiting === 1);
      assertBalanced(second);
      const other: unknown[] = [];
      await subscriber.subscribe('incident.>', ({ payload }) => void other.push(payload));
      await poll('the other came', () => other.length === 1);
      assert.deepEqual(other, [new Date(5)]);
      await poll('nothing is left', () => second.durable().waiting === 0);
    });

    test('each consumer gets every message, and one that is away finds what came meanwhile', async (t) => {
      const beds = keptBeds(t);
      const bed = await beds.start();
      const [publisher, here, away] = await Promise.all(
        ['alpha', 'beta', 'gamma'].map((name) => bed.connect(wire, name)),
      );
      const got: Record<string, unknown[]> = { here: [], away: [] };
      await here!.subscribe('task.>', ({ payload }) => void got['here']!.push(payload));
      await away!.subscribe('task.>', ({ payload }) => void got['away']!.push(payload));
      await publisher!.publish('task.a', 1);
      await poll('both had it', () => got['here']!.length + got['away']!.length === 2);
      await away!.close();
      await poll('it is gone', () => bed.broker.consumers().some(({ members }) => members === 0));
      for (const n of [2, 3]) await publisher!.publish('task.a', n);
      await poll('one has them', () => got['here']!.length === 3);
      const back = await bed.connect(wire, 'gamma');
      await back.subscribe('task.>', ({ payload }) => void got['away']!.push(payload));
      await poll('the other has them', () => got['away']!.length === 3);
      assert.deepEqual(got, { here: [1, 2, 3], away: [1, 2, 3] });
      await poll('all is settled', () => bed.durable().waiting === 0);
      assert.equal(bed.broker.statistics().families['task']!.handled, 6);
      assertBalanced(bed);
    });

    test('what its subscriber had when its wire broke comes again at once, in its order, before the rest', async (t) => {
      const bed = await keptBeds(t).start({ backoffMs: [60_000] });
      const publisher = await bed.connect(wire, 'alpha');
      const first = await bed.connect(wire, 'beta', { creditMessages: 4 });
      const stuck: number[] = [];
      await first.subscribe('task.a', ({ payload }) => {
        stuck.push(payload as number);
        return new Promise(() => {});
      });
      await Promise.all(Array.from({ length: 10 }, (_, n) => publisher.publish('task.a', n)));
      await poll('it has its window', () => stuck.length === 4);
      await first.close();
      // Two wires keep no order between them: the next may come before the broker knows that this one broke.
      await poll('its wire broke', () => bed.durable().consumers[0]?.members === 0);
      const got: [unknown, number][] = [];
      const second = await bed.connect(wire, 'beta');
      await second.subscribe('task.a', ({ payload, attempt }) => void got.push([payload, attempt]));
      await poll('all came', () => got.length === 10);
      assert.deepEqual(
        got,
        Array.from({ length: 10 }, (_, n) => [n, n < 4 ? 2 : 1]),
      );
      assert.equal(bed.durable().redelivered, 4);
    });

    test('an id is accepted once within its window, in the next broker too', async (t) => {
      const beds = keptBeds(t);
      const first = await beds.start();
      const publisher = await first.connect(wire, 'alpha');
      await publisher.publish('task.a', 1, { id: 'given' });
      await Promise.all([2, 3].map((n) => publisher.publish('task.a', n, { id: 'given' })));
      await Promise.all([4, 5].map((n) => publisher.publish('task.a', n, { id: 'together' })));
      assert.equal(first.durable().waiting, 2);
      await first.close();
      const second = await beds.start();
      const again = await second.connect(wire, 'alpha');
      assert.equal(await codeOf(again.publish('task.a', 6, { id: 'given' })), 'accepted');
      const other = await second.connect(wire, 'beta');
      await other.publish('task.a', 7, { id: 'given' });
      const got: unknown[] = [];
      await other.subscribe('task.a', ({ payload }) => void got.push(payload));
      await poll('all came', () => got.length === 3);
      assert.deepEqual(got, [1, 4, 7]);
      assert.equal(second.durable().duplicates, 1);
    });

    test('what is sent again while the next broker still reads its file is known all the same', async (t) => {
      const beds = keptBeds(t);
      const first = await beds.start();
      await (await first.connect(wire, 'alpha')).publish('task.a', 1, { id: 'given' });
      await first.close();
      const thread = new URL('../fixtures/slow-storage-thread.ts', import.meta.url);
      const second = await createBed({ durable: { dir: beds.dir, thread } });
      t.after(() => second.close());
      const publisher = await second.connect(wire, 'alpha');
      await publisher.publish('task.a', 1, { id: 'given', deadlineMs: 60_000 });
      const { waiting, duplicates } = second.broker.statistics().durable!;
      assert.deepEqual([waiting, duplicates], [1, 1]);
    });

    test('members of a group share, a key stays with one member while it lives, and moves when it is gone', async (t) => {
      const bed = await keptBeds(t).start();
      const publisher = await bed.connect(wire, 'alpha');
      const keys = Array.from({ length: 40 }, (_, n) => `key${n}`);
      for (const family of ['task', 'plain']) {
        const seen: Record<string, string[]> = {};
        const members = new Map<string, Awaited<ReturnType<typeof bed.connect>>>();
        for (const name of ['one', 'two', 'three']) {
          const member = await bed.connect(wire, name);
          members.set(name, member);
          await member.subscribe(
            `${family}.>`,
            ({ payload }) => {
              const key = payload as string;
              seen[key] = [...(seen[key] ?? []), name];
            },
            { queue: 'workers' },
          );
        }
        const publishAll = async (times: number): Promise<void> => {
          const before = Object.values(seen).flat().length;
          for (let i = 0; i < times; i++)
            await Promise.all(keys.map((key) => publisher.publish(`${family}.a`, key, { key })));
          await poll('all came', () => Object.values(seen).flat().length === before + times * keys.length);
        };
        await publishAll(5);
        for (const [key, names] of Object.entries(seen)) assert.equal(new Set(names).size, 1, `${key}: ${names}`);
        const before = Object.fromEntries(Object.entries(seen).map(([key, names]) => [key, names[0]!]));
        assert.deepEqual(Object.keys(tally(Object.values(before))).sort(), ['one', 'three', 'two']);
        await members.get('two')!.close();
        await poll('it is gone', () => !bed.broker.statistics().clients.some(({ principal }) => principal === 'two'));
        for (const key of keys) seen[key] = [];
        await publishAll(2);
        for (const [key, names] of Object.entries(seen)) {
          assert.equal(new Set(names).size, 1, `${key}: ${names}`);
          if (before[key] !== 'two') assert.equal(names[0], before[key]);
        }
        for (const member of members.values()) await member.close();
      }
    });

    test('ordered: of one key the next comes when the one before is settled, other keys go on', async (t) => {
      const bed = await keptBeds(t).start();
      const [publisher, subscriber] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: string[] = [];
      await subscriber.subscribe(
        'task.a',
        ({ payload, attempt }) => {
          got.push(`${payload}#${attempt}`);
          if (payload === 'slow1' && attempt < 3) throw new Error('not yet');
        },
        { durable: { ordered: true, backoffMs: [20] } },
      );
      const sent = ['slow1', 'slow2', 'quick1', 'slow3', 'quick2'];
      await Promise.all(sent.map((name) => publisher.publish('task.a', name, { key: name.slice(0, -1) })));
      await poll('all is settled', () => bed.durable().waiting === 0);
      assert.deepEqual(
        got.filter((name) => name.startsWith('slow')),
        ['slow1#1', 'slow1#2', 'slow1#3', 'slow2#1', 'slow3#1'],
      );
      assert.ok(got.indexOf('quick2#1') < got.indexOf('slow2#1'), `${got}`);
    });

    test('unsubscribing removes the consumer and what waits for it, closing does not', async (t) => {
      const bed = await keptBeds(t).start();
      const [publisher, subscriber] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const subscription = await subscriber.subscribe('task.a', () => new Promise(() => {}));
      for (let n = 0; n < 3; n++) await publisher.publish('task.a', n);
      assert.equal(bed.durable().waiting, 3);
      await subscription.unsubscribe();
      await poll('it is removed', () => bed.broker.consumers().length === 0 && bed.durable().waiting === 0);
      assert.equal(bed.broker.statistics().families['task']!.rejected, 3);
      await subscriber.subscribe('task.b', () => {});
      await subscriber.close();
      await poll('nobody is there', () => bed.broker.consumers().every(({ members }) => members === 0));
      await publisher.publish('task.b', 1);
      assert.deepEqual(
        bed.broker.consumers().map(({ name, waiting }) => [name, waiting]),
        [['beta/task.b', 1]],
      );
      assert.equal(await bed.broker.forget('beta/task.b'), 1);
      await assert.rejects(bed.broker.forget('beta/task.b'), { code: 'NOT_FOUND' });
      assertBalanced(bed);
    });

    test('who only listens gets copies, and nothing waits for it', async (t) => {
      const bed = await keptBeds(t).start();
      const [publisher, watcher] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: string[] = [];
      await watcher.subscribe('>', ({ payload, durable }) => void got.push(`drop ${payload} ${durable}`), {
        policy: 'drop-oldest',
      });
      await watcher.subscribe('task.>', ({ payload }) => void got.push(`live ${payload}`), { durable: false });
      await publisher.publish('task.a', 1);
      await poll('both heard it', () => got.length === 2);
      assert.deepEqual(got.sort(), ['drop 1 false', 'live 1']);
      assert.deepEqual(bed.broker.consumers(), []);
      assert.equal(bed.durable().unclaimed, 1);
      assertBalanced(bed);
    });

    test('a request on a durable subject is answered, and not kept', async (t) => {
      const bed = await keptBeds(t).start();
      const [asker, answerer] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      await answerer.subscribe('audit.>', (message) => message.reply('kept it'));
      assert.equal(await asker.request('audit.alpha', 1), 'kept it');
      assert.equal(bed.durable().waiting, 0);
    });
  });
}
