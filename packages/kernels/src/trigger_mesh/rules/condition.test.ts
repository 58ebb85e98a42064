import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compileCondition } from './condition.ts';
import type { RuleEvent } from './rule.ts';
import { fill, pathProblem, readPath, templateProblem } from './template.ts';

const event = (payload: unknown): RuleEvent => ({
  id: 'e',
  subject: 'kernel.restart',
  from: 'supervisor',
  at: 5,
  correlation: null,
  causation: null,
  depth: 0,
  payload,
});

describe('conditions', () => {
  const cases: [string, unknown, boolean][] = [
    ['payload.n > 2', { n: 3 }, true],
    ['payload.n > 2', { n: 2 }, false],
    ['payload.data.severity in ["high", "critical"]', { data: { severity: 'critical' } }, true],
    ['subject.startsWith("kernel.") && from == "supervisor"', {}, true],
    ['has(payload.x) && payload.x == 1', {}, false],
    ['payload.list.exists(k, k == "b")', { list: ['a', 'b'] }, true],
    ['payload.list.filter(k, k > 1).size() == 2', { list: [1, 2, 3] }, true],
    ['correlation == null', {}, true],
  ];
  for (const [text, payload, expected] of cases) {
    test(`${text} is ${expected} for ${JSON.stringify(payload)}`, () => {
      assert.equal(compileCondition(text)(event(payload)), expected);
    });
  }

  const refused: [string, RegExp][] = [
    ['1 +', /at character/],
    ['paylod.x == 1', /did you mean "payload"/],
    ['subject', /type string/],
    ['payload.s.matches("(a+)+$")', /matches\(\) is not offered/],
    ['payload.l.map(x, x).size() > 1', /map\(\) is not offered/],
    ['payload.s.startWith("a")', /did you mean "startsWith"/],
    ['payload.l.all(x, payload.l.all(y, x == y))', /inside another loop/],
    ['payload.l.all(x, x + x == x)', /\+ inside a loop/],
    ['payload.l.all(x, x in payload.l)', /a list that stands in the condition/],
    ['payload.l.all(x, x.contains(payload.t))', /a text of at most 64 characters/],
    ['duration(payload.d) > duration("1s")', /a text that stands in the condition/],
    [`duration("${'1'.repeat(2000)}") > duration("1s")`, /a text that stands in the condition/],
    ['('.repeat(5000), /at most 4000 characters/],
    ['('.repeat(3000), /expected valid CEL/],
    [Array(60).fill('payload.x').join(' && '), /expected valid CEL/],
    ['', /expected valid CEL/],
  ];
  for (const [text, message] of refused) {
    test(`refuses ${text.slice(0, 60)}`, () => assert.throws(() => compileCondition(text), message));
  }

  test('reaches no prototype', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      assert.throws(() => compileCondition(`payload.${name} == 1`)(event({})), /No such key/);
    }
  });

  test('a loop over a huge event is refused at once, a plain comparison is not', () => {
    const huge = event({ l: Array.from({ length: 100_000 }, (_, i) => i), n: 1 });
    assert.throws(() => compileCondition('payload.l.exists(x, x == payload.n)')(huge), /too large/);
    assert.equal(compileCondition('payload.n == 1')(huge), true);
  });

  const nested = (depth: number): unknown => (depth === 0 ? 1 : { d: nested(depth - 1) });
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  let shared: unknown = 1;
  for (let i = 0; i < 60; i++)
    shared = new Map([
      ['a', shared],
      ['b', shared],
    ]);
  // Each of these held the thread for 1 to 60 seconds before it was refused.
  const bombs: [string, string, unknown][] = [
    ['a deep object beside what is asked', 'payload.n == 1', { n: 1, a: nested(3000) }],
    ['two deep objects that are compared', 'payload.a == payload.b', { a: nested(3000), b: nested(3000) }],
    ['a circle', 'payload.self == 1', circle],
    ['the same object again and again', 'payload.a == 1', { a: shared }],
    [
      'a text searched for its own like',
      'payload.s.contains(payload.t)',
      { s: 'a'.repeat(1e6), t: `${'a'.repeat(1e5)}b${'a'.repeat(1e5)}` },
    ],
    ['a number of a million digits', 'int(payload.s) == 1', { s: '9'.repeat(1e6) }],
    ['lists compared with lists', 'payload.a in payload.b', { a: Array(5000).fill(1), b: [Array(5000).fill(2)] }],
  ];
  for (const [what, text, payload] of bombs) {
    test(`an event with ${what} is refused before it is looked at`, () =>
      assert.throws(() => compileCondition(text)(event(payload)), /too large for this condition/));
  }

  test('any text either compiles or is refused with a message, and then answers or throws an Error', () => {
    const piece = fc.constantFrom(
      'payload',
      '.',
      'a',
      '==',
      '(',
      ')',
      '[',
      ']',
      '"',
      '&&',
      '!',
      '1',
      ' ',
      'exists',
      ',',
      '?',
      ':',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        try {
          compileCondition(pieces.join(''))(event({ a: [1] }));
        } catch (error) {
          assert.ok(error instanceof Error && error.message.length > 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('templates', () => {
  const budget = () => ({ left: 10_000, exceeded: () => new Error('too much') });
  const scope = { payload: { n: 1, deep: { list: ['x', { y: 2 }] }, text: 'a' }, subject: 's.t' };

  test('a hole alone keeps its type, inside text it becomes text', () => {
    assert.deepEqual(
      fill(
        { n: '{{payload.n}}', t: 'n={{ payload.n }}!', l: ['{{payload.deep}}'], m: '{{payload.no}}' },
        scope,
        budget(),
      ),
      {
        n: 1,
        t: 'n=1!',
        l: [{ list: ['x', { y: 2 }] }],
        m: null,
      },
    );
    assert.equal(fill('{{payload.deep.list.1.y}} {{payload.no}}', scope, budget()), '2 ');
  });

  test('a value from an event is never a template again', () => {
    assert.equal(
      fill('{{payload.t}} {{payload.t}}', { payload: { t: '{{subject}}' }, subject: 's' }, budget()),
      '{{subject}} {{subject}}',
    );
  });

  test('what is filled in is bounded, whatever the event', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const holes = '{{payload}}'.repeat(50);
    for (const payload of ['x'.repeat(1000), { x: 'x'.repeat(1000) }, circle])
      assert.throws(() => fill([holes, { a: '{{payload}}' }], { payload }, budget()), /too much/);
    assert.equal(fill('{{payload}}!', { payload: { n: 1n } }, budget()), '[object Object]!');
    assert.deepEqual(fill('{{payload}}', { payload: new Map([[1, 2n]]) }, budget()), new Map([[1, 2n]]));
  });

  test('paths reach own fields only', () => {
    for (const path of [
      'payload.constructor',
      'payload.__proto__',
      'payload.text.length',
      'payload.deep.list.length.x',
    ]) {
      assert.equal(readPath(scope, path), undefined);
    }
  });

  test('a wrong path is named with its place and the nearest valid word', () => {
    assert.match(pathProblem('paylod.x')!, /did you mean "payload"/);
    assert.deepEqual(templateProblem({ a: ['{{payload.x}}', 'b {{nope}}'] }, 'payload')?.place, 'payload.a[1]');
    assert.match(pathProblem('payload..x')!, /expected a path/);
    assert.equal(pathProblem('event.payload')?.includes('begins with'), true);
  });
});
