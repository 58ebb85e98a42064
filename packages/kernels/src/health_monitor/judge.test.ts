import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BLIND_LIMIT, judge, newStanding, type ProbeResult, type Standing } from './judge.ts';

type Verdict = ProbeResult['verdict'];
const limits = { failAfter: 3, passAfter: 2 };

function follow(verdicts: readonly Verdict[], given = limits): Standing[] {
  let standing = newStanding(0);
  return verdicts.map((verdict, i) => {
    standing = judge(standing, { verdict, detail: '', ms: 1 }, given, i + 1);
    return standing;
  });
}

const states = (verdicts: readonly Verdict[]): string[] => follow(verdicts).map(({ state }) => state);

describe('the standing of a probe', () => {
  test('is told at the first pass after a start, but only after several failures in a row', () => {
    assert.deepEqual(states(['pass']), ['passing']);
    assert.deepEqual(states(['fail', 'fail', 'fail']), ['unknown', 'unknown', 'failing']);
    assert.deepEqual(states(['pass', 'fail', 'fail', 'pass']), ['passing', 'passing', 'passing', 'passing']);
  });

  test('turns back only after several passes in a row', () => {
    assert.deepEqual(states(['fail', 'fail', 'fail', 'pass', 'fail', 'pass', 'pass']).slice(2), [
      'failing',
      'failing',
      'failing',
      'failing',
      'passing',
    ]);
  });

  test('an observer that sees nothing accuses nobody, and says so when it goes on', () => {
    const blind = Array<Verdict>(BLIND_LIMIT - 1).fill('unknown');
    assert.equal(states(['pass', ...blind]).at(-1), 'passing');
    assert.equal(states(['pass', ...blind, 'unknown']).at(-1), 'unknown');
    assert.equal(states(['pass', 'fail', 'fail', 'unknown', 'unknown']).at(-1), 'passing');
  });

  test('it is failing exactly when the last told results were failures, as many as asked, and no passes came since', () => {
    const verdicts = fc.array(fc.constantFrom<Verdict>('pass', 'fail'), { maxLength: 40 });
    const thresholds = fc.record({
      failAfter: fc.integer({ min: 1, max: 5 }),
      passAfter: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(verdicts, thresholds, (given, limit) => {
        follow(given, limit).forEach((standing, i) => {
          const seen = given.slice(0, i + 1);
          const endsWith = (verdict: Verdict, count: number): boolean =>
            seen.length >= count && seen.slice(-count).every((one) => one === verdict);
          if (endsWith('fail', limit.failAfter)) assert.equal(standing.state, 'failing');
          if (endsWith('pass', limit.passAfter)) assert.equal(standing.state, 'passing');
          if (!seen.includes('pass')) assert.notEqual(standing.state, 'passing');
          if (!seen.join().includes(Array(limit.failAfter).fill('fail').join()))
            assert.notEqual(standing.state, 'failing');
          assert.ok(standing.sinceMono <= i + 1);
        });
      }),
    );
  });

  test('unknown results accuse nobody: left out, they change no judgement but those after too many in a row', () => {
    const verdicts = fc.array(fc.constantFrom<Verdict>('pass', 'fail', 'unknown'), { maxLength: 60 });
    fc.assert(
      fc.property(verdicts, (given) => {
        const seen = follow(given);
        const longest = Math.max(
          0,
          ...given
            .join()
            .split(/pass|fail/)
            .map((run) => run.split('unknown').length - 1),
        );
        if (longest < BLIND_LIMIT) {
          const told = follow(given.filter((verdict) => verdict !== 'unknown')).at(-1);
          assert.equal(seen.at(-1)?.state ?? 'unknown', told?.state ?? 'unknown');
        }
        seen.forEach((standing, i) => {
          const before = seen[i - 1]?.state ?? 'unknown';
          if (given[i] === 'unknown') assert.ok(standing.state === before || standing.state === 'unknown');
          if (given[i] === 'pass') assert.ok(standing.state !== 'failing' || before === 'failing');
          if (given[i] === 'fail') assert.ok(standing.state !== 'passing' || before === 'passing');
        });
      }),
    );
  });
});
