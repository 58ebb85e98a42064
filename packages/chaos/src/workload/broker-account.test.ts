import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { standIn, statusOf } from '../../test/control-stand-in.ts';
import { type BrokerCounters, compareWithBroker, type OwnCounts, readBroker } from './broker-account.ts';

const own = (live: number, durable = 0): OwnCounts => ({
  live: { sent: live, accepted: live, refused: 0, heard: live, handled: live },
  durable: { sent: durable, accepted: durable, refused: 0, heard: durable, handled: durable },
});
const counters = (messages: number, more: Partial<BrokerCounters> = {}): BrokerCounters => ({
  incarnation: 1,
  totals: { accepted: messages, handled: messages, rejected: 0, expired: 0, deadLettered: 0, waiting: 0 },
  published: messages,
  family: { accepted: messages, handled: messages },
  own: { before: own(messages), after: own(messages) },
  ...more,
});

describe('the two accounts of one stretch', () => {
  test('agree when both counted the same, and the broker gives what happened in between', () => {
    const reading = compareWithBroker(counters(0), counters(10), counters(25));
    assert.deepEqual(reading, {
      totals: { accepted: 15, handled: 15, rejected: 0, expired: 0, deadLettered: 0, waiting: 0 },
      unaccounted: 0,
      differences: [],
      why: null,
    });
  });

  test('what is under way while the broker is asked is no difference', () => {
    const broker = fc.integer({ min: 100, max: 110 });
    fc.assert(
      fc.property(broker, (counted) => {
        const to = counters(counted, { own: { before: own(100), after: own(110) } });
        assert.deepEqual(compareWithBroker(counters(0), counters(0), to).differences, []);
      }),
    );
  });

  test('a message that was acknowledged and not counted, and one that was counted and never sent, are differences', () => {
    const few = compareWithBroker(
      counters(0),
      counters(0),
      counters(99, { own: { before: own(100), after: own(110) } }),
    );
    assert.match(few.differences!.join(), /accepted: the broker counts 99, the workload 100 to 110/);
    const many = compareWithBroker(
      counters(0),
      counters(0),
      counters(111, { own: { before: own(100), after: own(110) } }),
    );
    assert.equal(many.differences!.length, 3);
  });

  test('what the broker cannot account for itself is told, whichever way it is wrong', () => {
    for (const handled of [7, 13]) {
      const totals = { ...counters(10).totals, handled };
      assert.equal(compareWithBroker(counters(0), counters(0), counters(10, { totals })).unaccounted, 10 - handled);
    }
  });

  test('a broker that was restarted, or does not answer, is not compared, and it is said why', () => {
    const restarted = compareWithBroker(counters(0), counters(5), counters(2, { incarnation: 2 }));
    assert.deepEqual([restarted.totals, restarted.differences], [null, null]);
    assert.match(restarted.why!, /restarted/);
    const earlier = compareWithBroker(counters(0), counters(1, { incarnation: 2 }), counters(2, { incarnation: 2 }));
    assert.deepEqual([earlier.totals?.accepted, earlier.differences], [1, null]);
    assert.deepEqual(compareWithBroker(counters(0), counters(0), 'no answer'), {
      ...{ totals: null, unaccounted: null, differences: null },
      why: 'no answer',
    });
  });
});

test('the broker is asked through its verb; one that gives no counters is not read', async () => {
  const answer = {
    ...counters(7).totals,
    families: { workload: { accepted: 5, handled: 4 } },
    principals: { workload: { published: 6 } },
  };
  const system = await standIn({ status: () => statusOf([{ id: 'message_bus', incarnation: 3 }]), call: () => answer });
  try {
    const read = await readBroker(system.client, 'workload', 'workload', () => own(6));
    assert.deepEqual(read, {
      incarnation: 3,
      totals: counters(7).totals,
      published: 6,
      family: { accepted: 5, handled: 4 },
      own: { before: own(6), after: own(6) },
    });
    system.answers.call = () => ({});
    assert.match(String(await readBroker(system.client, 'workload', 'workload', () => own(6))), /no counters/);
    system.answers.call = () => Promise.reject(new Error('down'));
    assert.match(String(await readBroker(system.client, 'workload', 'workload', () => own(6))), /did not answer: down/);
  } finally {
    await system.close();
  }
});
