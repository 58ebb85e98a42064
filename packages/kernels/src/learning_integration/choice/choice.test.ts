import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ENDS, type End } from '../outcomes/outcome.ts';
import { type Beta, interval, mean, quantile, share } from './beta.ts';
import { choose } from './choose.ts';
import { DAY_MS, POOLED_MAX, posterior, type Tally, WORSE_WEIGHT, weigh } from './posterior.ts';
import { drawBeta, seededRandom } from './random.ts';

const parameter = fc.double({ min: 0.05, max: 500, noNaN: true });
const beta = fc.record({ alpha: parameter, beta: parameter });
const weight = fc.record({
  success: fc.double({ min: 0, max: 100, noNaN: true }),
  failure: fc.double({ min: 0, max: 100, noNaN: true }),
});
const tally: fc.Arbitrary<Tally> = fc.record({
  end: fc.constantFrom(...ENDS),
  day: fc.integer({ min: 0, max: 1000 }),
  count: fc.integer({ min: 1, max: 9 }),
});
const seed = fc.integer({ min: 0, max: 0xffffffff });

describe('a Beta distribution', () => {
  test('has the shares that are known in closed form', () => {
    const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);
    for (const x of [0.01, 0.3, 0.5, 0.77, 0.999]) {
      near(share({ alpha: 1, beta: 1 }, x), x);
      near(share({ alpha: 4, beta: 1 }, x), x ** 4);
      near(share({ alpha: 1, beta: 7 }, x), 1 - (1 - x) ** 7);
      near(share({ alpha: 2, beta: 2 }, x), 3 * x ** 2 - 2 * x ** 3);
      near(share({ alpha: 0.5, beta: 0.5 }, x), (2 / Math.PI) * Math.asin(Math.sqrt(x)));
    }
  });

  test('has quantiles that invert its shares, and an interval around its median', () => {
    fc.assert(
      fc.property(beta, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (one, p) => {
        const x = quantile(one, p);
        // A distribution may lie so close to 0 or 1 that no number is between.
        if (x > 1e-6 && x < 1 - 1e-6) assert.ok(Math.abs(share(one, x) - p) < 1e-6);
        const { low, high } = interval(one);
        const median = quantile(one, 0.5);
        assert.ok(low <= median && median <= high && low >= 0 && high <= 1);
      }),
      { numRuns: 200 },
    );
  });

  test('is drawn with its mean and spread', () => {
    for (const one of [
      { alpha: 1, beta: 1 },
      { alpha: 6, beta: 2 },
      { alpha: 0.4, beta: 3 },
      { alpha: 120, beta: 40 },
    ]) {
      const random = seededRandom(7);
      const draws = Array.from({ length: 20_000 }, () => drawBeta(random, one.alpha, one.beta));
      const average = draws.reduce((a, b) => a + b) / draws.length;
      const sum = one.alpha + one.beta;
      const variance = (one.alpha * one.beta) / (sum ** 2 * (sum + 1));
      assert.ok(Math.abs(average - mean(one)) < 5 * Math.sqrt(variance / draws.length));
      const mark = quantile(one, 0.9);
      const below = draws.filter((draw) => draw < mark).length / draws.length;
      assert.ok(Math.abs(below - 0.9) < 0.015, `${below} of the draws lie below the quantile of 0.9`);
    }
  });
});

describe('a posterior', () => {
  test('rises with each success and falls with each failure, here and elsewhere', () => {
    fc.assert(
      fc.property(weight, weight, (here, elsewhere) => {
        const now = mean(posterior(here, elsewhere));
        assert.ok(mean(posterior({ ...here, success: here.success + 1 }, elsewhere)) > now);
        assert.ok(mean(posterior({ ...here, failure: here.failure + 1 }, elsewhere)) < now);
        assert.ok(mean(posterior(here, { ...elsewhere, success: elsewhere.success + 1 })) >= now - 1e-12);
        assert.ok(mean(posterior(here, { ...elsewhere, failure: elsewhere.failure + 1 })) <= now + 1e-12);
      }),
    );
  });

  test('is a matter of what happened, not of the order in which it came', () => {
    fc.assert(
      fc.property(fc.array(tally, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (tallies, stream) => {
        const shuffled = tallies
          .map((one) => ({ one, at: stream.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one);
        assert.deepEqual(weigh(shuffled, 1000 * DAY_MS, 30 * DAY_MS), weigh(tallies, 1000 * DAY_MS, 30 * DAY_MS));
      }),
    );
  });

  test('of a playbook that was never seen is a chance of one half, with anything possible', () => {
    const nothing = { success: 0, failure: 0 };
    const { low, high } = interval(posterior(nothing, nothing));
    assert.deepEqual(posterior(nothing, nothing), { alpha: 1, beta: 1 });
    assert.ok(low < 0.03 && high > 0.97);
  });

  test('leans on what was seen elsewhere while it has seen little, and outgrows it', () => {
    const elsewhere = { success: 90, failure: 10 };
    const nothing = mean(posterior({ success: 0, failure: 0 }, elsewhere));
    assert.ok(nothing > 0.85, `${nothing}`);
    const { alpha, beta: b } = posterior({ success: 0, failure: 0 }, elsewhere);
    assert.ok(Math.abs(alpha + b - 2 - POOLED_MAX) < 1e-9, 'however much was seen elsewhere, it weighs as a few here');
    assert.ok(mean(posterior({ success: 0, failure: 20 }, elsewhere)) < 0.25);
  });

  test('weighs what is a half-life old half, and what made things worse more than a failure', () => {
    const at = (end: End, day: number): Tally => ({ end, day, count: 1 });
    const now = 2400 * DAY_MS;
    const halfLife = 240 * DAY_MS;
    assert.deepEqual(weigh([at('healed', 2400)], now, halfLife), { success: 1, failure: 0 });
    assert.deepEqual(weigh([at('healed', 2160)], now, halfLife), { success: 0.5, failure: 0 });
    assert.deepEqual(weigh([at('not_healed', 1920)], now, halfLife), { success: 0, failure: 0.25 });
    assert.deepEqual(weigh([at('made_worse', 2400)], now, halfLife), { success: 0, failure: WORSE_WEIGHT });
    assert.ok(WORSE_WEIGHT > 1);
    for (const end of ['refused', 'interrupted'] as const)
      assert.deepEqual(weigh([at(end, 2400)], now, halfLife), { success: 0, failure: 0 });
    assert.deepEqual(weigh([at('healed', 9999)], now, halfLife), { success: 1, failure: 0 }, 'ahead of the clock');
  });
});

/** Each candidate after these successes and failures. */
const after = (outcomes: Record<string, [success: number, failure: number]>) =>
  Object.entries(outcomes).map(([playbook, [success, failure]]) => ({
    playbook,
    ...posterior({ success, failure }, { success: 0, failure: 0 }),
  }));

describe('a choice', () => {
  test('is the same for the same seed, in whatever order the candidates stand', () => {
    const candidates = fc.uniqueArray(fc.record({ name: fc.integer({ min: 0, max: 50 }), of: beta }), {
      selector: ({ name }) => name,
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(candidates, seed, (given, number) => {
        const list = given.map(({ name, of }) => ({ playbook: `p${name}`, ...of }));
        const one = choose(list, number);
        const other = choose([...list].reverse(), number);
        assert.equal(other.playbook, one.playbook);
        assert.equal(other.explored, one.explored);
        assert.deepEqual(other.draws, [...one.draws].reverse());
        const best = Math.max(...list.map(mean));
        assert.equal(one.explored, mean(list.find(({ playbook }) => playbook === one.playbook)!) < best);
      }),
    );
  });

  test('explores nothing when there is one candidate', () => {
    for (let number = 0; number < 100; number++)
      assert.deepEqual(choose(after({ only: [0, 9] }), number).explored, false);
  });

  test('prefers the better playbook after ten planted outcomes in at least 95 % of seeds', () => {
    const preferred = (outcomes: Record<string, [number, number]>): number => {
      const candidates = after(outcomes);
      let good = 0;
      for (let number = 0; number < 10_000; number++) if (choose(candidates, number).playbook === 'good') good++;
      return good / 10_000;
    };
    const clear = preferred({ bad: [0, 5], good: [5, 0] });
    const mixed = preferred({ bad: [1, 4], good: [4, 1] });
    assert.ok(clear >= 0.995, `${clear}`);
    assert.ok(mixed >= 0.95, `${mixed}`);
  });

  test('regrets less than choosing by lot, always the first, or always the best so far', () => {
    const ROUNDS = 200;
    const SEEDS = 40;
    const chances: Record<string, number> = { a: 0.5, b: 0.2, c: 0.8 };
    type Policy = (known: (Beta & { playbook: string })[], number: number) => string;
    const regret = (policy: Policy): number => {
      let lost = 0;
      for (let run = 0; run < SEEDS; run++) {
        const luck = seededRandom(run * 7919 + 1);
        const seen: Record<string, [number, number]> = { a: [0, 0], b: [0, 0], c: [0, 0] };
        for (let round = 0; round < ROUNDS; round++) {
          const chosen = policy(after(seen), run * ROUNDS + round);
          lost += 0.8 - chances[chosen]!;
          seen[chosen]![luck() < chances[chosen]! ? 0 : 1]++;
        }
      }
      return lost / SEEDS;
    };
    const thompson = regret((known, number) => choose(known, number).playbook);
    const uniform = regret((known, number) => known[Math.floor(seededRandom(number)() * known.length)]!.playbook);
    const first = regret((known) => known[0]!.playbook);
    const greedy = regret((known) => known.reduce((x, y) => (mean(y) > mean(x) ? y : x)).playbook);
    const words = JSON.stringify({ thompson, uniform, first, greedy });
    assert.ok(thompson < uniform && thompson < first && thompson < greedy, words);
    assert.ok(thompson < uniform / 3, words);
  });
});
