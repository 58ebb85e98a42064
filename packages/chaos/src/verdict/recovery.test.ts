import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HOLD_MS, type Observation, recoveredAt } from './recovery.ts';

const METHODS = ['probe', 'heartbeat', 'workload'] as const;
const look = (atMono: number, probe: boolean | null, heartbeat = probe, workload = probe): Observation => ({
  atMono,
  probe,
  heartbeat,
  workload,
  metric: false,
});

describe('recovery', () => {
  test('needs two methods that agree for a second', () => {
    assert.equal(recoveredAt([look(0, true), look(1000, true)], [...METHODS], 0), 0);
    assert.equal(recoveredAt([look(0, true), look(999, true)], [...METHODS], 0), null);
    assert.equal(recoveredAt([look(0, true, null, null), look(2000, true, null, null)], [...METHODS], 0), null);
    assert.equal(recoveredAt([look(0, true, true, null), look(2000, true, true, null)], [...METHODS], 0), 0);
  });

  test('one method that says no is enough against it', () => {
    const looks = [look(0, true), look(500, true, false, true), look(600, true), look(1600, true)];
    assert.equal(recoveredAt(looks, [...METHODS], 0), 600);
  });

  test('a method that is not asked for has no say', () => {
    assert.equal(recoveredAt([look(0, true), look(1200, true)], ['probe', 'workload'], 0), 0);
    assert.equal(recoveredAt([look(0, true), look(1200, true)], ['probe', 'metric'], 0), null);
  });

  test('it never begins before the instant it is asked from', () => {
    assert.equal(
      recoveredAt([look(0, true), look(900, true), look(1500, true), look(1700, true)], [...METHODS], 600),
      600,
    );
  });

  test('every answer was agreed upon for a whole second by looks that follow it', () => {
    const looks = fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.constantFrom(true, false, null)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(looks, fc.integer({ min: 0, max: 3000 }), (steps, fromMono) => {
        let at = 0;
        const observations = steps.map(([gap, said]) => {
          at += gap;
          return look(at, said);
        });
        const answer = recoveredAt(observations, [...METHODS], fromMono);
        if (answer === null) return;
        assert.ok(answer >= fromMono);
        const after = observations.filter(({ atMono }) => atMono >= answer && atMono <= answer + HOLD_MS);
        assert.ok(after.every(({ probe }) => probe === true));
        assert.ok(observations.some(({ atMono }) => atMono >= answer + HOLD_MS));
      }),
    );
  });
});
