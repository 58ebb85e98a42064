import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Call, percentile, sampleOf, type Tick } from './operations.ts';

const stretch = { trial: 't', fromMono: 1000, toMono: 2000 };
const tick = (atMono: number, answer: Tick['answer'], handledMono: number | null, times = 1): Tick => ({
  atMono,
  answer,
  handledMono,
  times,
});
const sample = (
  operations: { ticks?: Tick[]; durable?: Tick[]; calls?: Call[] },
  disturbances: Parameters<typeof sampleOf>[2] = [],
) => sampleOf(stretch, { ticks: [], durable: [], calls: [], ...operations }, disturbances);
const call = (atMono: number, kernel: string, ok: boolean, ms = 5, kind: Call['kind'] = 'verb'): Call => ({
  atMono,
  kernel,
  kind,
  ok,
  ms,
});

describe('a sample of the workload', () => {
  test('only a message that was accepted and never handled is lost', () => {
    const ticks = [
      tick(1100, 'accepted', 1107),
      tick(1200, 'accepted', null),
      tick(1300, 'refused', null),
      tick(1400, 'open', null),
      tick(999, 'accepted', null),
      tick(2000, 'accepted', null),
    ];
    const counts = { accepted: 2, handled: 1, rejected: 1, lost: 1 };
    assert.deepEqual(sample({ ticks }).messages, counts);
    assert.deepEqual(sample({ durable: ticks }).durable, { ...counts, repeated: 0 });
    assert.deepEqual(sample({ ticks }).roundTrips, { count: 1, p50Ms: 7, p99Ms: 7 });
  });

  test('a durable message that is brought again is handled once, and told', () => {
    const durable = [tick(1100, 'accepted', 1101, 3), tick(1200, 'accepted', 1201)];
    assert.deepEqual(sample({ durable }).durable, { accepted: 2, handled: 2, rejected: 0, repeated: 1, lost: 0 });
  });

  test('a call to a kernel that a trial disturbs counts for nothing, one to a neighbour for everything', () => {
    const calls = [
      call(1100, 'scheduler', false, 900),
      call(1200, 'librarian', false),
      call(1300, 'librarian', true, 7),
      call(1400, 'immutable_log', false, 5, 'append'),
      // Under way when the trial began.
      call(1040, 'scheduler', false, 30),
    ];
    const disturbances = [{ fromMono: 1060, toMono: 1800, kernels: new Set(['scheduler']) }];
    const { verbs, appends } = sample({ calls }, disturbances);
    assert.deepEqual(verbs, { ok: 1, failed: 1, excused: 2, p50Ms: 7, p99Ms: 7 });
    assert.deepEqual(appends, { ok: 0, failed: 1 });
  });

  test('a failure before or after the trial is not excused', () => {
    const calls = [call(1010, 'scheduler', false, 20), call(1900, 'scheduler', false, 20)];
    const disturbances = [{ fromMono: 1060, toMono: 1800, kernels: new Set(['scheduler']) }];
    assert.equal(sample({ calls }, disturbances).verbs.failed, 2);
  });

  test('accepted is handled and lost, whatever happened', () => {
    const ticks = fc.array(
      fc.record<Tick>({
        atMono: fc.integer({ min: 900, max: 2100 }),
        answer: fc.constantFrom('open', 'accepted', 'refused'),
        handledMono: fc.constantFrom(null, 2200),
        times: fc.nat(3),
      }),
    );
    fc.assert(
      fc.property(ticks, (all) => {
        const { messages } = sample({ ticks: all });
        assert.equal(messages.accepted, messages.handled + messages.lost);
      }),
    );
  });

  test('a percentile is a value that occurred', () => {
    assert.equal(percentile([], 0.99), 0);
    assert.equal(percentile([1, 2, 3, 4], 0.5), 2);
    assert.equal(percentile([1, 2, 3, 100], 0.99), 100);
  });
});
