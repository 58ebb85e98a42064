import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '@grace/contracts';
import fc from 'fast-check';
import type { Fact } from '../facts/gather.ts';
import { plain } from '../facts/plain.ts';
import { newStreak, step } from '../invariants/streak.ts';
import type { Condition } from '../rules/rule.ts';
import { createChecker } from './checker.ts';
import { allOf, type Verdict, verdictOf } from './verdict.ts';

const VERDICTS: readonly Verdict[] = ['holds', 'broken', 'unknown'];
const verdict = fc.constantFrom(...VERDICTS);

/** An expression over the fact `f`, and what it means in Kleene's logic, told by another program than the one under test. */
interface Formula {
  text: string;
  means: Verdict;
}
const atom = fc.constantFrom<Formula>(
  { text: 'f.yes', means: 'holds' },
  { text: 'f.no', means: 'broken' },
  { text: 'f.absent', means: 'unknown' },
  { text: 'f.text > 5', means: 'unknown' },
  { text: 'f.nothing < 5', means: 'unknown' },
  { text: 'f.number < 5', means: 'holds' },
  { text: 'f.number == 5', means: 'broken' },
  { text: 'f.list.all(i, i > 0)', means: 'holds' },
  { text: 'f.list.exists(i, i > 9)', means: 'broken' },
  { text: 'f.list[7] == 1', means: 'unknown' },
  { text: 'f.number', means: 'unknown' },
);
const not = (means: Verdict): Verdict => (means === 'holds' ? 'broken' : means === 'broken' ? 'holds' : 'unknown');
const { formula } = fc.letrec<{ formula: Formula }>((tie) => ({
  formula: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    atom,
    tie('formula').map(({ text, means }) => ({ text: `!(${text})`, means: not(means) })),
    fc
      .tuple(tie('formula'), tie('formula'))
      .map(([a, b]) => ({ text: `(${a.text}) && (${b.text})`, means: allOf([a.means, b.means]) })),
    fc
      .tuple(tie('formula'), tie('formula'))
      .map(([a, b]) => ({ text: `(${a.text}) || (${b.text})`, means: not(allOf([not(a.means), not(b.means)])) })),
  ),
}));

const FACT = { yes: true, no: false, text: 'x', nothing: null, number: 3, list: [1, 2] };
const condition = (expect: string, names: readonly string[] = ['f']): Condition => ({
  facts: Object.fromEntries(
    names.map((name) => [name, { origin: { given: null }, path: null, fields: null, withinMs: 10 }]),
  ),
  expect,
  show: null,
});
const checker = createChecker(systemClock);
const check = async (one: Condition, facts: Record<string, Fact>) =>
  (await checker.check(one, 'invariant', async () => facts, {})).verdict;
const found = (value: unknown): Fact => ({ ok: true, value: plain(value), ms: 1 });
const lost: Fact = { ok: false, error: 'late', ms: 1 };

describe('a verdict', () => {
  test("is what Kleene's logic gives, whatever cannot be told in it, and unknown is never called good", async () => {
    await fc.assert(
      fc.asyncProperty(formula, async ({ text, means }) => {
        fc.pre(text.length < 1500);
        const given = await check(condition(text), { f: found(FACT) });
        // An expression whose parts have types that cannot go together is refused as a whole, which is unknown too.
        if (given !== means)
          assert.deepEqual([given, text.includes('f.number)') || text === 'f.number'], ['unknown', true], text);
        if (means === 'unknown') assert.notEqual(given, 'holds', text);
      }),
      { numRuns: 400 },
    );
  });

  test('is unknown when one fact is missing, whatever the others say', async () => {
    await fc.assert(
      fc.asyncProperty(formula, fc.boolean(), async ({ text }, first) => {
        fc.pre(text.length < 1500);
        const facts: Record<string, Fact> = { f: first ? lost : found(FACT), g: first ? found(true) : lost };
        assert.equal(await check(condition(`(${text}) || true`, ['f', 'g']), facts), 'unknown');
      }),
      { numRuns: 50 },
    );
  });

  test('of anything but true and false is unknown', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        fc.pre(typeof value !== 'boolean');
        assert.equal(verdictOf(value), 'unknown');
      }),
    );
  });

  test('of several holds only when each does, in any order', () => {
    fc.assert(
      fc.property(fc.array(verdict, { maxLength: 8 }), (verdicts) => {
        assert.equal(
          allOf(verdicts) === 'holds',
          verdicts.every((one) => one === 'holds'),
        );
        assert.equal(allOf(verdicts) === 'broken', verdicts.includes('broken'));
        assert.equal(allOf(verdicts.toReversed()), allOf(verdicts));
      }),
    );
  });
});

describe('a violation', () => {
  test('begins after so many looks in a row, ends with the first that holds, and is moved by no unknown one', () => {
    fc.assert(
      fc.property(fc.array(verdict, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (verdicts, after) => {
        const streak = newStreak();
        let [brokenInARow, violated] = [0, false];
        for (const one of verdicts) {
          const event = step(streak, one, after);
          if (one === 'unknown') assert.equal(event, undefined);
          if (one === 'holds') assert.equal(event, violated ? 'ends' : undefined);
          brokenInARow = one === 'broken' ? brokenInARow + 1 : one === 'holds' ? 0 : brokenInARow;
          if (one === 'broken') assert.equal(event, !violated && brokenInARow >= after ? 'begins' : undefined);
          if (event) violated = event === 'begins';
          assert.equal(streak.violated, violated);
        }
      }),
    );
  });
});

describe('a fact', () => {
  test('that holds something that cannot be compared is missing rather than compared', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const strange = [Number.NaN, Infinity, 5n, () => 1, new Date(), new Map(), circle, Symbol('x')];
    for (const value of strange) assert.throws(() => plain({ list: [value] }), Error, String(value as object));
    assert.throws(() => plain(Array.from({ length: 1001 }, () => 1)), /list of 1001 entries/);
    assert.throws(() => plain('x'.repeat(600_000)), /more than 8192 values/);
  });

  test('of plain values stays what it is, without the fields that are not there', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        assert.equal(JSON.stringify(plain(value)), JSON.stringify(value));
      }),
      { numRuns: 100 },
    );
    assert.deepEqual(Object.keys(plain({ a: undefined, b: 1 }) as object), ['b']);
  });
});
