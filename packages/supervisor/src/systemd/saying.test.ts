import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NOTHING_TOLD, saying, type Told } from './saying.ts';
import type { Standing } from './standing.ts';

const standing = (phase: Standing['phase'], ready = 2, total = 2, down: string[] = []): Standing => ({
  phase,
  ready,
  total,
  down,
});
const pulse = { watchdogMs: 4000, beat: true };

describe('what a service manager is told', () => {
  test('while the system boots: how far it is, and that it needs more time, not that it is ready', () => {
    const { assignments } = saying(NOTHING_TOLD, standing('booting', 1), { now: 0, ...pulse });
    assert.deepEqual(assignments, {
      STATUS: 'booting, 1 of 2 kernels ready',
      WATCHDOG: '1',
      EXTEND_TIMEOUT_USEC: '10000000',
    });
  });

  test('when the boot has settled: ready once, with how many, and which are not', () => {
    const first = saying(NOTHING_TOLD, standing('running', 1, 2, ['a is failed']), { now: 0, ...pulse, beat: false });
    assert.deepEqual(first.assignments, { READY: '1', STATUS: '1 of 2 kernels ready; a is failed' });
    assert.deepEqual(saying(first.told, standing('running'), { now: 10, ...pulse, beat: false }).assignments, {});
    const later = saying(first.told, standing('running'), { now: 2000, ...pulse, beat: false });
    assert.deepEqual(later.assignments, { STATUS: '2 of 2 kernels ready' });
  });

  test('of many kernels that are down the first are named', () => {
    const down = ['a', 'b', 'c', 'd', 'e'].map((id) => `${id} is backoff`);
    const { assignments } = saying(NOTHING_TOLD, standing('running', 0, 5, down), { now: 0, ...pulse });
    assert.equal(assignments['STATUS'], '0 of 5 kernels ready; a is backoff, b is backoff, c is backoff and 2 more');
  });

  test('when it stops: at once, once, and more time for as long as the drain takes', () => {
    const ready = saying(NOTHING_TOLD, standing('running'), { now: 0, ...pulse }).told;
    const stop = saying(ready, standing('stopping'), { now: 1, ...pulse, beat: false });
    assert.deepEqual(stop.assignments, { STOPPING: '1', STATUS: 'stopping, 2 of 2 kernels still up' });
    const beat = saying(stop.told, standing('stopping'), { now: 2, ...pulse });
    assert.deepEqual(beat.assignments, { EXTEND_TIMEOUT_USEC: '10000000' });
    assert.deepEqual(saying(beat.told, standing('stopping'), { now: 3, ...pulse }).assignments, {});
    assert.equal(
      saying(beat.told, standing('stopping'), { now: 3500, ...pulse }).assignments['EXTEND_TIMEOUT_USEC'],
      '10000000',
    );
  });

  test('without a watchdog nothing feeds one', () => {
    const { assignments } = saying(NOTHING_TOLD, standing('running'), { now: 0, watchdogMs: null, beat: true });
    assert.equal(assignments['WATCHDOG'], undefined);
  });
});

test('whatever happens, only beats feed the watchdog, never later than half its time; the rest is said once, and seldom', () => {
  const phases = ['booting', 'running', 'stopping'] as const;
  const step = fc.record({
    ms: fc.integer({ min: 1, max: 150 }),
    beat: fc.boolean(),
    ready: fc.integer({ min: 0, max: 3 }),
    on: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1000, max: 20_000 }), (steps, watchdogMs) => {
      let told: Told = NOTHING_TOLD;
      let now = 0;
      let phase = 0;
      let fedMono: number | null = null;
      const said: { now: number; assignments: Record<string, string> }[] = [];
      for (const { ms, beat, ready, on } of steps) {
        now += ms;
        if (on && phase < 2 && ready === 3) phase++;
        const next = saying(told, standing(phases[phase]!, ready, 3), { now, watchdogMs, beat });
        told = next.told;
        const { WATCHDOG, READY } = next.assignments;
        said.push({ now, assignments: next.assignments });
        if (!beat) assert.equal(WATCHDOG, undefined);
        else if (fedMono === null || now - fedMono >= watchdogMs / 2) assert.equal(WATCHDOG, '1');
        else assert.equal(WATCHDOG, undefined);
        if (WATCHDOG) fedMono = now;
        if (READY) assert.equal(phases[phase], 'running');
      }
      for (const once of ['READY', 'STOPPING'])
        assert.ok(said.filter(({ assignments }) => once in assignments).length <= 1);
      const statuses = said.filter(
        ({ assignments }) => 'STATUS' in assignments && !('READY' in assignments || 'STOPPING' in assignments),
      );
      for (const [i, { now: at }] of statuses.entries()) assert.ok(i === 0 || at - statuses[i - 1]!.now >= 1000);
    }),
  );
});
