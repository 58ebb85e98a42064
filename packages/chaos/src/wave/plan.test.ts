import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { listScenarios } from '../scenario/list.ts';
import { inConflict } from './conflict.ts';
import { withNeedsMet } from './needs.ts';
import { type PlannedWave, planWaves } from './plan.ts';
import { seededRandom } from './random.ts';

const scenarios = listScenarios(join(import.meta.dirname, '../../../../configs/scenarios'));
const ids = (wave: PlannedWave): string[] => wave.groups.flat().map(({ id }) => id);
const counts = fc.record({
  waves: fc.integer({ min: 1, max: 9 }),
  trials: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer({ min: 0, max: 0xffffffff }),
});

describe('the plan of the waves', () => {
  test('the first three waves run every variant of every scenario, from low to high', () => {
    const waves = planWaves(scenarios, { waves: 3, trials: 1, seed: 1 });
    assert.deepEqual(
      waves.map(({ severity }) => severity),
      ['low', 'moderate', 'high'],
    );
    const planned = waves.flatMap(ids).sort();
    const expected = scenarios.flatMap(({ id, wave, variants }) => variants.map((v) => `w${wave}.${id}.${v.id}.1`));
    assert.deepEqual(planned, expected.sort());
  });

  test('fewer waves run only the first ones; a single scenario is its own first wave', () => {
    assert.deepEqual(ids(planWaves(scenarios, { waves: 1, trials: 1, seed: 1 })[0]!), [
      'w1.S01_heartbeat_pause.pause.1',
    ]);
    const crash = scenarios.filter(({ id }) => id === 'S04_kernel_crash');
    assert.equal(ids(planWaves(crash, { waves: 1, trials: 1, seed: 1 })[0]!).length, 3);
  });

  test('the hog from outside runs alone, the flood may run beside a spinning kernel', () => {
    const [, moderate] = planWaves(scenarios, { waves: 2, trials: 1, seed: 1 });
    const groups = moderate!.groups.map((group) => group.map(({ variant }) => variant.id).sort());
    assert.ok(groups.some((group) => group.join() === 'outside'));
    assert.ok(groups.some((group) => group.join() === 'count,kernel'));
  });

  test('two loops never burn at once, and two faults that end a process are never in one group', () => {
    const loops = ['endless_loop', 'catastrophic_regex'];
    const deadly = ['segmentation_fault', 'fifo_read', 'huge_allocation'];
    for (const order of [scenarios, [...scenarios].reverse()]) {
      const [, , high] = planWaves(order, { waves: 3, trials: 2, seed: 1 });
      for (const group of high!.groups) {
        for (const apart of [loops, deadly])
          assert.ok(group.filter(({ variant }) => apart.includes(variant.id)).length <= 1);
      }
    }
  });

  test('the waves are packed: seven trials in six groups, thirteen in five', () => {
    const [, moderate, high] = planWaves(scenarios, { waves: 3, trials: 1, seed: 1 });
    const sizes = (wave: PlannedWave): number[] => wave.groups.map((group) => group.length);
    assert.deepEqual(
      [sizes(moderate!), sizes(high!)],
      [
        [2, 1, 1, 1, 1, 1],
        [3, 3, 3, 2, 2],
      ],
    );
  });

  test('two floods of one bus never meet, nor do two kinds of damage to one record', () => {
    fc.assert(
      fc.property(counts, (order) => {
        for (const { groups } of planWaves(scenarios, order)) {
          for (const group of groups) {
            const floods = group.filter(({ variant }) => ['acl_spam', 'topic_flood'].includes(variant.fault));
            const damages = group.filter(({ scenario }) => scenario.id === 'S10_log_corruption');
            assert.ok(floods.length <= 1 && damages.length <= 1, group.map(({ id }) => id).join());
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('the same seed gives the same plan, another seed another one', () => {
    fc.assert(
      fc.property(counts, (order) => {
        assert.deepEqual(planWaves(scenarios, order), planWaves(scenarios, order));
      }),
      { numRuns: 30 },
    );
    const later = (seed: number): string =>
      planWaves(scenarios, { waves: 9, trials: 1, seed }).slice(3).flatMap(ids).join();
    assert.ok(new Set([1, 2, 3, 4, 5].map(later)).size > 1);
  });

  test('no two trials of one group are in conflict, none is planned twice, and later waves grow', () => {
    fc.assert(
      fc.property(counts, (order) => {
        const waves = planWaves(scenarios, order);
        assert.equal(waves.length, order.waves);
        for (const wave of waves) {
          assert.equal(new Set(ids(wave)).size, ids(wave).length);
          for (const group of wave.groups) {
            for (const [i, a] of group.entries())
              for (const b of group.slice(i + 1)) assert.ok(!inConflict(a, b), `${a.id} beside ${b.id}`);
          }
          const variants = scenarios.flatMap((scenario) => scenario.variants).length;
          if (wave.n > 3) assert.equal(ids(wave).length, Math.min(wave.n - 2, variants) * order.trials);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a trial whose kernels this system lacks is left out, with the reason', () => {
    const [low] = planWaves(scenarios, { waves: 1, trials: 1, seed: 1 });
    const { wave, missing } = withNeedsMet(low!, ['message_bus', 'self_healing']);
    assert.deepEqual(wave.groups, []);
    assert.match(missing[0]!, /w1\.S01_heartbeat_pause\.pause\.1 needs librarian/);
  });
});

describe('the seeded stream', () => {
  test('gives the numbers of mulberry32', () => {
    // From the reference implementation, seed 1.
    const random = seededRandom(1);
    assert.deepEqual(
      [random.next(), random.next(), random.next()].map((x) => x.toFixed(10)),
      ['0.6270739406', '0.0027357212', '0.5274470400'],
    );
  });

  test('a shuffle keeps every item', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.nat(), (items, seed) => {
        assert.deepEqual(
          seededRandom(seed)
            .shuffle(items)
            .sort((a, b) => a - b),
          [...items].sort((a, b) => a - b),
        );
      }),
    );
  });
});
