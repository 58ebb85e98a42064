import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSlot, SLOT } from '@grace/contracts';
import fc from 'fast-check';
import { openBed, poll } from '../../test/bed.ts';
import { createServedTime, noteMessages } from './served-time.ts';

const counter = () => {
  const slot = createSlot();
  const clock = { ns: 0n };
  return {
    clock,
    begin: createServedTime(slot, () => clock.ns),
    served: () => Number(Atomics.load(slot, SLOT.servedNs)),
  };
};

describe('time in which something was under way', () => {
  test('is counted once, whatever overlaps, and never more than has passed', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ from: fc.nat(1000), ms: fc.nat(200) }), { minLength: 1, maxLength: 30 }),
        (pieces) => {
          const { clock, begin, served } = counter();
          const steps = pieces
            .flatMap(({ from, ms }, i) => [
              { at: from, i, begins: true },
              { at: from + ms, i, begins: false },
            ])
            .sort((a, b) => a.at - b.at || Number(b.begins) - Number(a.begins));
          const ends = new Map<number, () => void>();
          for (const { at, i, begins } of steps) {
            clock.ns = BigInt(at);
            if (begins) ends.set(i, begin());
            else ends.get(i)!();
          }
          const covered = new Set(pieces.flatMap(({ from, ms }) => Array.from({ length: ms }, (_, n) => from + n)));
          assert.ok(served() <= covered.size, `${served()} of ${covered.size}`);
          // All of it, where no piece began before another and ended after it, or with it.
          const isNested = pieces.some((a) => pieces.some((b) => a.from < b.from && a.from + a.ms >= b.from + b.ms));
          if (!isNested) assert.equal(served(), covered.size);
        },
      ),
    ));

  test('of a piece that waits for long counts for a second', () => {
    const { clock, begin, served } = counter();
    for (let i = 1; i <= 3; i++) {
      const end = begin();
      clock.ns += 60_000_000_000n;
      end();
      assert.equal(served(), i * 1e9);
    }
  });

  test('of a piece that does not end is not counted', () => {
    const { clock, begin, served } = counter();
    begin();
    clock.ns = 5_000n;
    assert.equal(served(), 0);
    const end = begin();
    clock.ns = 5_100n;
    end();
    assert.equal(served(), 100);
  });
});

test('messages are noted, also where their handler fails; calls of verbs are not, they are noted where they arrive', async (t) => {
  const bed = openBed(t);
  const noted = { begun: 0, ended: 0 };
  const bus = bed.client('worker');
  noteMessages(bus, 'worker', () => {
    noted.begun++;
    return () => void noted.ended++;
  });
  let handled = 0;
  await bus.subscribe('task.*', ({ payload }) => {
    handled++;
    if (payload === 'throws') throw new Error('no');
    return payload === 'rejects' ? Promise.reject(new Error('no')) : undefined;
  });
  await bus.subscribe('kernel.worker.call.*', () => void handled++);
  const other = bed.client('other');
  for (const payload of ['is done', 'throws', 'rejects']) await other.publish('task.a', payload);
  await other.publish('kernel.worker.call.x', null);
  await poll('all of them', () => handled === 4 && noted.ended === 3);
  assert.equal(noted.begun, 3);
});
