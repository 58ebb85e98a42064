import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { afterDenied, afterOrder, afterRestart, levelAt, type MuteState, UNMUTED } from './mute.ts';

const OPTIONS = { enabled: true, threshold: 5, windowMs: 100, periodMs: 50, periodMaxMs: 400 };

/** Denied messages at these times, one each. */
function periods(times: readonly number[], options = OPTIONS): number[] {
  let state: MuteState = UNMUTED;
  const muted: number[] = [];
  for (const now of times) {
    const step = afterDenied(state, 1, now, options);
    state = step.state;
    if (step.periodMs !== undefined) muted.push(step.periodMs);
  }
  return muted;
}

const burst = (at: number): number[] => Array.from({ length: 5 }, (_, i) => at + i);

test('the threshold within the window mutes, one less or spread wider does not', () => {
  assert.deepEqual(periods(burst(1000)), [50]);
  assert.deepEqual(periods(burst(1000).slice(1)), []);
  assert.deepEqual(periods([1000, 1030, 1060, 1090, 1120]), []);
});

test('each further mute is twice as long up to the longest, and forgiven after being quiet for that long', () => {
  const starts = [1000, 1200, 1400, 1700, 2300];
  assert.deepEqual(periods(starts.flatMap(burst)), [50, 100, 200, 400, 50]);
});

test('who goes on while muted is not quiet, and nothing of that is forgiven', () => {
  const on = [...burst(1000), ...burst(1200), ...burst(1400), ...burst(1700), 1900, ...burst(2110)];
  assert.deepEqual(periods(on), [50, 100, 200, 400, 400]);
  const flood = Array.from({ length: 3000 }, (_, i) => 1000 + i);
  assert.deepEqual(periods(flood), [50, 100, 200, 400, 400, 400, 400, 400, 400, 400]);
});

test('a level that is not forgiven and a mute that lasts are gone on with after a restart', () => {
  const until = { level: 3, untilMono: 2000, lastDeniedMono: 1000 };
  const during = afterRestart(until, 1500);
  assert.deepEqual([during.untilMono, during.level, levelAt(during, 1899, OPTIONS)], [2000, 3, 3]);
  const later = afterRestart(until, 2300);
  assert.equal(levelAt(later, 2399, OPTIONS), 3);
  assert.equal(levelAt(later, 2400, OPTIONS), 0);
});

test('switched off it never mutes, by order it does', () => {
  assert.deepEqual(periods([...burst(1000), ...burst(1010)], { ...OPTIONS, enabled: false }), []);
  assert.equal(afterOrder(UNMUTED, 70, 1000).untilMono, 1070);
});

test('a mute is never longer than the longest period, and none begins while one lasts', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: 50 }), fc.nat({ max: 8 }))), (steps) => {
      let state: MuteState = UNMUTED;
      let now = 1000;
      for (const [wait, count] of steps) {
        now += wait;
        const muted = state.untilMono > now;
        const step = afterDenied(state, count, now, OPTIONS);
        if (step.periodMs !== undefined) {
          assert.ok(!muted);
          assert.ok(step.periodMs >= 50 && step.periodMs <= 400);
          assert.equal(step.state.untilMono, now + step.periodMs);
        }
        state = step.state;
      }
    }),
  );
});
