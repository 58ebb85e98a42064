import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { admit, type PastRun } from './guard.ts';

const guards = { budget: 3, windowMs: 1000, coolDownMs: 100 };
const run = (startedMono: number, endedMono: number | null, given: Partial<PastRun> = {}): PastRun => ({
  playbook: 'p',
  target: 't',
  startedMono,
  endedMono,
  ...given,
});

describe('guards', () => {
  test('one run at a time per target, of whatever playbook', () => {
    const admission = admit('p', guards, 't', [run(0, null, { playbook: 'other' })], 5000);
    assert.deepEqual({ ...admission, reason: '' }, { admitted: false, passes: true, reason: '' });
    assert.equal(admit('p', guards, 'elsewhere', [run(0, null)], 5000).admitted, true);
  });

  test('a run cools down on its target', () => {
    assert.equal(admit('p', guards, 't', [run(0, 50)], 149).admitted, false);
    assert.equal(admit('p', guards, 't', [run(0, 50)], 150).admitted, true);
    assert.equal(admit('other', guards, 't', [run(0, 50)], 60).admitted, true);
  });

  test('runs of an earlier boot of the machine, whose clock began anew, do not count', () => {
    assert.equal(admit('p', guards, 't', [run(9e9, 9e9 + 1), run(9e9, null)], 10).admitted, true);
  });

  test('never more runs start within a window than the budget allows, and never two at once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 300 })), { maxLength: 60 }),
        (asks) => {
          const past: PastRun[] = [];
          let now = 0;
          for (const [pause, length] of asks) {
            now += pause;
            const seen = past.map((one) => ({ ...one, endedMono: one.endedMono! > now ? null : one.endedMono }));
            if (!admit('p', guards, 't', seen, now).admitted) continue;
            assert.ok(seen.every((one) => one.endedMono !== null));
            past.push(run(now, now + length));
          }
          for (const { startedMono } of past) {
            const within = past.filter(
              (one) => one.startedMono >= startedMono && one.startedMono < startedMono + guards.windowMs,
            );
            assert.ok(within.length <= guards.budget);
          }
        },
      ),
    );
  });
});
