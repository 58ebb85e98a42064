import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inWords, makeSchedule, STRIKE_KINDS, type Strike } from './schedule.ts';

const SEED = fc.integer({ min: 0 });
const DURATION_MS = fc.integer({ min: 3000, max: 600_000 });

test('the same seed makes the same schedule, another one another', () => {
  assert.deepEqual(makeSchedule(7, 60_000), makeSchedule(7, 60_000));
  assert.notDeepEqual(makeSchedule(7, 60_000).map(inWords), makeSchedule(8, 60_000).map(inWords));
});

test('every schedule strikes in every way, in the order of time', () => {
  fc.assert(
    fc.property(SEED, DURATION_MS, (seed, durationMs) => {
      const schedule = makeSchedule(seed, durationMs);
      assert.deepEqual(new Set(schedule.map(({ kind }) => kind)), new Set(STRIKE_KINDS));
      assert.deepEqual(
        schedule.toSorted((a, b) => a.atMs - b.atMs),
        schedule,
      );
    }),
  );
});

test('no schedule makes the system protect itself: no cell is dissolved, the supervisor is never given up', () => {
  const inAnyMinute = (strikes: Strike[]): number =>
    Math.max(
      0,
      ...strikes.map(({ atMs }) => strikes.filter((one) => one.atMs >= atMs && one.atMs < atMs + 60_000).length),
    );
  fc.assert(
    fc.property(SEED, DURATION_MS, (seed, durationMs) => {
      const schedule = makeSchedule(seed, durationMs);
      const of = (kind: string): Strike[] => schedule.filter((one) => one.kind === kind);
      for (const strikes of Object.values(Object.groupBy(of('cell_kill'), ({ target }) => target)))
        assert.ok(inAnyMinute(strikes!) < 3);
      assert.ok(inAnyMinute(of('broker_kill')) < 3);
      assert.ok(inAnyMinute(of('supervisor_kill')) < 10);
      assert.equal(of('kernel_isolate').length, 1);
    }),
  );
});
