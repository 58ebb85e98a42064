import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createShare } from './share.ts';

const cpus = fc.double({ min: 0.02, max: 0.95, noNaN: true });

describe('the share of a thread', () => {
  test('is kept by a thread that burns whenever it may', () => {
    fc.assert(
      fc.property(cpus, fc.array(fc.integer({ min: 2, max: 30 }), { minLength: 200, maxLength: 400 }), (cpu, runs) => {
        const share = createShare(cpu, 0, 0);
        let now = 0;
        let burnt = 0;
        for (const longest of runs) {
          // What is burnt at once and takes longer than half a second to pay back is forgiven in part.
          const run = Math.min(longest, cpu * 450);
          now += run;
          burnt += run;
          now += share.account(now, burnt);
          share.account(now, burnt);
        }
        assert.ok(burnt <= cpu * now + 1e-6, `${burnt} of ${now} at ${cpu}`);
        assert.ok(burnt >= cpu * now - 100 * cpu - 1e-6, `${burnt} of ${now} at ${cpu}`);
      }),
    );
  });

  test('costs a thread that burns less than it nothing', () => {
    fc.assert(
      fc.property(cpus, fc.array(fc.integer({ min: 1, max: 1000 }), { maxLength: 100 }), (cpu, steps) => {
        const share = createShare(cpu, 0, 0);
        let now = 0;
        let burnt = 0;
        for (const step of steps) {
          now += step;
          burnt += step * cpu * 0.99;
          assert.equal(share.account(now, burnt), 0);
        }
      }),
    );
  });

  test('never asks for a pause of more than half a second, whatever was burnt', () => {
    fc.assert(
      fc.property(cpus, fc.double({ min: 0, max: 1e7, noNaN: true }), (cpu, burnt) => {
        assert.ok(createShare(cpu, 0, 0).account(1, burnt) <= 500 + 1e-6);
      }),
    );
  });
});
