// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of playbooks look like this
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { all, evaluate, fill } from './clause.ts';
import { type Clause, OPERATORS } from './types.ts';

const value = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.boolean(),
  fc.constantFrom('a', 'b'),
  fc.constant(undefined),
  fc.constant(null),
);
const plain: fc.Arbitrary<Clause> = fc.record({
  fact: fc.constantFrom('x.a', 'x.b', 'x.gone'),
  operator: fc.constantFrom(...OPERATORS),
  value,
});
const scope = fc.record({ x: fc.record({ a: value, b: value }) });

describe('clauses', () => {
  test('a fact that was not observed makes every operator but exists unknown', () => {
    for (const operator of OPERATORS.filter((one) => one !== 'exists')) {
      assert.equal(evaluate({ fact: 'target.state', operator, value: 1 }, {}).truth, null, operator);
    }
    assert.equal(evaluate({ fact: 'target.state', operator: 'exists', value: false }, {}).truth, true);
  });

  test('unknown is never taken for true: all() is true only when each clause is', () => {
    fc.assert(
      fc.property(fc.array(plain, { maxLength: 5 }), scope, (clauses, facts) => {
        const truths = clauses.map((clause) => evaluate(clause, facts).truth);
        const { truth, unmet } = all(clauses, facts);
        assert.equal(
          truth === true,
          truths.every((one) => one === true),
        );
        assert.equal(truth === false, truths.includes(false));
        assert.equal(unmet.length, truths.filter((one) => one !== true).length);
      }),
    );
  });

  test('is and not contradict each other, as do above and at_most, wherever they are known', () => {
    fc.assert(
      fc.property(scope, value, (facts, expected) => {
        for (const [one, other] of [
          ['is', 'not'],
          ['above', 'at_most'],
          ['below', 'at_least'],
        ] as const) {
          const a = evaluate({ fact: 'x.a', operator: one, value: expected }, facts).truth;
          const b = evaluate({ fact: 'x.a', operator: other, value: expected }, facts).truth;
          assert.equal(a, b === null ? null : !b);
        }
      }),
    );
  });

  test('any is true when one of its clauses is, and unknown rather than false when one cannot be told', () => {
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 4 }), scope, (any, facts) => {
        const truths = any.map((clause) => evaluate(clause, facts).truth);
        const expected = truths.includes(true) ? true : truths.includes(null) ? null : false;
        assert.equal(evaluate({ any }, facts).truth, expected);
      }),
    );
  });

  test('a text that is one placeholder becomes the value with its type, others become text', () => {
    const given = { n: '${x.a}', text: 'n=${x.a}!', list: ['${x.b}'] };
    assert.deepEqual(fill(given, { x: { a: 3, b: true } }), { n: 3, text: 'n=3!', list: [true] });
    assert.throws(() => fill('${x.gone}', { x: {} }), { code: 'BAD_INPUT' });
  });

  test('a clause compared with a placeholder that has no value is unknown', () => {
    const clause: Clause = { fact: 'x.a', operator: 'above', value: '${before.x.a}' };
    assert.equal(evaluate(clause, { x: { a: 1 } }).truth, null);
    assert.equal(evaluate(clause, { x: { a: 1 }, before: { x: { a: 0 } } }).truth, true);
  });
});
