import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DurableConsumerStatus } from '@grace/contracts';
import fc from 'fast-check';
import { Backlogs } from './backlog.ts';

const consumer = (name: string, waiting: number): DurableConsumerStatus => ({
  ...{ name, pattern: `task.${name}`, queue: null, members: 1, waiting },
  ...{ unacknowledged: 0, oldestMs: waiting > 0 ? 5 : null, bytes: waiting * 10 },
});
const told = (backlogs: Backlogs, ...consumers: DurableConsumerStatus[]) =>
  backlogs.look(consumers).map(({ consumer: name, over }) => `${name} ${over}`);

test('a backlog is told once when it begins and once when it is over, not at its edge again and again', () => {
  const backlogs = new Backlogs();
  assert.deepEqual(told(backlogs, consumer('a', 999)), []);
  assert.deepEqual(told(backlogs, consumer('a', 1000), consumer('b', 0)), ['a true']);
  for (const waiting of [5000, 999, 1001, 500]) assert.deepEqual(told(backlogs, consumer('a', waiting)), []);
  assert.deepEqual(told(backlogs, consumer('a', 499)), ['a false']);
  assert.deepEqual(told(backlogs, consumer('a', 999)), []);
});

test('a backlog ends with its consumer', () => {
  const backlogs = new Backlogs();
  assert.deepEqual(told(backlogs, consumer('a', 2000)), ['a true']);
  assert.deepEqual(told(backlogs), ['a false']);
  assert.deepEqual(told(backlogs), []);
});

test('begin and end take turns, whatever comes', () => {
  const looks = fc.array(fc.array(fc.record({ name: fc.constantFrom('a', 'b'), waiting: fc.nat(2000) })));
  fc.assert(
    fc.property(looks, (sequence) => {
      const backlogs = new Backlogs();
      const last: Record<string, boolean> = {};
      for (const look of sequence) {
        const consumers = [...new Map(look.map(({ name, waiting }) => [name, consumer(name, waiting)])).values()];
        for (const { consumer: name, over } of backlogs.look(consumers)) {
          assert.notEqual(over, last[name] ?? false);
          last[name] = over;
        }
      }
    }),
  );
});
