import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Lane } from '../wire/lanes.ts';
import { Outbox } from './outbox.ts';
import type { Pending } from './pending.ts';

let made = 0;

const pending = (lane: Lane, bytes = 10): Pending => ({
  subject: 'task.a',
  lane,
  flags: lane,
  id: `p-${made++}`,
  deadlineMono: 0,
  extra: null,
  payload: null,
  bytes,
  isRequest: false,
  resolve: () => {},
  reject: () => {},
  settled: false,
});

const WINDOW = { messages: 8, bytes: 100 };

test('the most urgent is sent first, and bulk does not use up the window of control', () => {
  const outbox = new Outbox(1000, 1e6);
  for (let i = 0; i < 20; i++) outbox.push(pending(2));
  assert.equal(outbox.take(WINDOW).messages.length, 8);
  outbox.push(pending(1));
  outbox.push(pending(0));
  const { first, messages } = outbox.take(WINDOW);
  assert.equal(first, 9);
  assert.deepEqual(
    messages.map(({ lane }) => lane),
    [0, 1],
  );
});

test('nothing is lost or doubled, whatever is sent, decided, settled and sent again', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), lane: fc.nat({ max: 2 }), bytes: fc.nat({ max: 150 }) }),
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('decide' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ do: fc.constant('rewind' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const outbox = new Outbox(1000, 1e6);
      const open = new Set<string>();
      const onWire = new Map<number, string>();
      let next = 1;
      for (const now of steps) {
        if (now.do === 'push') {
          const one = pending(now.lane as Lane, now.bytes);
          outbox.push(one);
          open.add(one.id);
        } else if (now.do === 'take') {
          const { first, messages } = outbox.take(WINDOW);
          if (messages.length > 0) assert.equal(first, next);
          for (const { id } of messages) onWire.set(next++, id);
        } else if (now.do === 'decide') {
          for (const [number, id] of [...onWire].slice(0, Math.ceil(onWire.size * now.share))) {
            assert.equal(outbox.decide(number)!.id, id);
            assert.equal(outbox.decide(number), undefined);
            onWire.delete(number);
            open.delete(id);
          }
        } else {
          assert.equal(
            outbox.rewind(() => {}),
            onWire.size,
          );
          onWire.clear();
        }
        const waiting = [...outbox.waiting()].map(({ id }) => id);
        assert.deepEqual(new Set([...waiting, ...onWire.values()]), open);
        assert.equal(outbox.size + outbox.undecided, open.size);
      }
    }),
  );
});
