import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Call, percentile, sampleOf, type Tick } from './operations.ts';

const stretch = { trial: 't', fromMono: 1000, toMono: 2000 };
const tick = (atMono: number, answer: Tick['answer'], handled: boolean): Tick => ({ atMono, answer, handled });
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
      tick(1100, 'accepted', true),
      tick(1200, 'accepted', false),
      tick(1300, 'refused', false),
      tick(1400, 'open', false),
      tick(999, 'accepted', false),
      tick(2000, 'accepted', false),
    ];
    assert.deepEqual(sampleOf(stretch, ticks, [], []).messages, { accepted: 2, handled: 1, rejected: 1, lost: 1 });
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
    const { verbs, appends } = sampleOf(stretch, [], calls, disturbances);
    assert.deepEqual(verbs, { ok: 1, failed: 1, excused: 2, p50Ms: 7, p99Ms: 7 });
    assert.deepEqual(appends, { ok: 0, failed: 1 });
  });

  test('a failure before or after the trial is not excused', () => {
    const calls = [call(1010, 'scheduler', false, 20), call(1900, 'scheduler', false, 20)];
    const disturbances = [{ fromMono: 1060, toMono: 1800, kernels: new Set(['scheduler']) }];
    assert.equal(sampleOf(stretch, [], calls, disturbances).verbs.failed, 2);
  });

  test('accepted is handled and lost, whatever happened', () => {
    const ticks = fc.array(
      fc.record<Tick>({
        atMono: fc.integer({ min: 900, max: 2100 }),
        answer: fc.constantFrom('open', 'accepted', 'refused'),
        handled: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(ticks, (all) => {
        const { messages } = sampleOf(stretch, all, [], []);
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
