import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { graceError } from '../test/bed.ts';
import { is, readInput } from './input.ts';

type Check = (value: unknown, place: string) => unknown;

/** What a structured clone may bring. */
const anything = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withSparseArray: true }),
  fc.constant(circle()),
  fc.constant([circle()]),
);

function circle(): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  return value;
}

/** Whatever comes: accepted as it is exactly when it is what the check says, else refused with the place. */
function accepts(check: Check, isGood: (value: unknown) => boolean, good: fc.Arbitrary<unknown>): void {
  fc.assert(
    fc.property(fc.oneof(good, anything), (value) => {
      if (isGood(value)) {
        assert.deepEqual(check(value, 'input.field'), value);
        return;
      }
      assert.throws(
        () => check(value, 'input.field'),
        graceError('BAD_INPUT', /^input\.field[^:]*: expected .+, got .+/s),
      );
    }),
    { numRuns: 150 },
  );
}

describe('each check accepts what it says and refuses everything else with BAD_INPUT and the place', () => {
  test('string', () => {
    accepts(is.string(), (v) => typeof v === 'string' && v.length >= 1 && v.length <= 100_000, fc.string());
    const short = is.string({ min: 2, max: 4, pattern: /^[a-z]+$/, what: 'a short word' });
    accepts(
      short,
      (v) => typeof v === 'string' && /^[a-z]{2,4}$/.test(v),
      fc.string({ unit: fc.constantFrom('a', 'z', '1'), maxLength: 6 }),
    );
  });
  test('number', () => {
    accepts(is.number(), (v) => typeof v === 'number' && !Number.isNaN(v), fc.double());
    accepts(
      is.number({ min: -3, max: 9, integer: true }),
      (v) => Number.isInteger(v) && (v as number) >= -3 && (v as number) <= 9,
      fc.oneof(fc.integer({ min: -6, max: 12 }), fc.double({ min: -6, max: 12 })),
    );
  });
  test('boolean', () => accepts(is.boolean(), (v) => v === true || v === false, fc.boolean()));
  test('oneOf', () =>
    accepts(
      is.oneOf(['red', 'green']),
      (v) => v === 'red' || v === 'green',
      fc.constantFrom('red', 'green', 'gren', 'Red'),
    ));
  test('record', () =>
    accepts(
      is.record(),
      (v) => v !== null && typeof v === 'object' && !Array.isArray(v),
      fc.dictionary(fc.string(), fc.anything()),
    ));
  test('array', () => {
    const isWords = (v: unknown): boolean =>
      Array.isArray(v) && v.length <= 3 && Array.from(v).every((entry) => typeof entry === 'string' && entry !== '');
    accepts(
      is.array(is.string(), { max: 3 }),
      isWords,
      fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 5 }),
    );
  });
  test('optional', () =>
    fc.assert(
      fc.property(anything, (value) => {
        if (value === undefined || value === null) assert.equal(is.optional(is.boolean())(value, 'input.a'), undefined);
        else if (typeof value === 'boolean') assert.equal(is.optional(is.boolean())(value, 'input.a'), value);
        else assert.throws(() => is.optional(is.boolean())(value, 'input.a'), graceError('BAD_INPUT', /^input\.a: /));
      }),
    ));
});

test('the holes of a sparse list are entries like others', () => {
  assert.throws(
    () => is.array(is.string())(new Array(2), 'input.names'),
    graceError('BAD_INPUT', /^input\.names\[0\]: expected a string, got nothing/),
  );
});

test('an entry of a list is named by its place', () => {
  assert.throws(
    () => is.array(is.number())([1, 'two'], 'input.n'),
    graceError('BAD_INPUT', /^input\.n\[1\]: expected a number .* got "two"/),
  );
});

test('a pattern with the flag g answers the same every time', () => {
  const check = is.string({ pattern: /a/g });
  for (let i = 0; i < 4; i++) assert.equal(check('a', 'input.a'), 'a');
});

test('what JSON cannot say is refused with its own words', () => {
  const shown = (value: unknown): string => {
    try {
      return is.string()(value, 'input.a');
    } catch (error) {
      return (error as GraceError).message.replace(/.* got /, '');
    }
  };
  assert.deepEqual([5n, Number.NaN, circle(), undefined, null].map(shown), [
    '5',
    'NaN',
    'an object',
    'nothing',
    'null',
  ]);
});

test('a missed choice names the nearest', () => {
  assert.throws(
    () => is.oneOf(['summary', 'full'])('sumary', 'input.form'),
    graceError('BAD_INPUT', /did you mean "summary"/),
  );
});

const SHAPE = { name: is.string(), count: is.optional(is.number()) };

test('an input is read field by field, and no input is an empty one', () => {
  assert.deepEqual(readInput({ name: 'a', count: 2 }, SHAPE), { name: 'a', count: 2 });
  assert.deepEqual(readInput({ name: 'a' }, SHAPE), { name: 'a', count: undefined });
  assert.deepEqual(readInput(undefined, { count: SHAPE.count }), { count: undefined });
  for (const input of [5, 'text', [], true])
    assert.throws(() => readInput(input, SHAPE), graceError('BAD_INPUT', /^input: expected an object/));
  assert.throws(
    () => readInput({ count: 'x', name: 'a' }, SHAPE),
    graceError('BAD_INPUT', /^input\.count: expected a number/),
  );
});

test('an unknown field is refused, with the nearest and with all that are known', () => {
  assert.throws(
    () => readInput({ name: 'a', cuont: 1 }, SHAPE),
    (error: GraceError) => {
      assert.equal(error.code, 'BAD_INPUT');
      assert.equal(
        error.message,
        'input.cuont is not a field of this verb (did you mean "count"?); fields: name, count',
      );
      assert.deepEqual(error.details, { field: 'cuont' });
      return true;
    },
  );
  assert.throws(() => readInput({ a: 1 }, {}), graceError('BAD_INPUT', /fields: none/));
});

test('any field beside those of the shape is refused by its name', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40 }), (name) => {
      fc.pre(!Object.hasOwn(SHAPE, name));
      const input = Object.fromEntries([
        ['name', 'a'],
        [name, 1],
      ]);
      assert.throws(
        () => readInput(input, SHAPE),
        (error: GraceError) => error.code === 'BAD_INPUT' && error.details['field'] === name,
      );
    }),
  );
});

test('a field name or a choice of a million characters is refused in few words', () => {
  const long = 'x'.repeat(1e6);
  for (const refused of [
    () => readInput({ [long]: 1 }, SHAPE),
    () => is.oneOf(['red', 'green'])(long, 'input.a'),
    () => is.string()(long, 'input.a'),
  ])
    assert.throws(refused, (error: GraceError) => error.code === 'BAD_INPUT' && error.message.length < 300);
});

describe('names that every object inherits', () => {
  test('are unknown fields like others when they are given', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const input = JSON.parse(`{"name":"a","${name}":{"count":5}}`);
      assert.throws(
        () => readInput(input, SHAPE),
        (error: GraceError) => error.code === 'BAD_INPUT' && error.details['field'] === name,
      );
    }
    assert.equal(({} as { count?: number }).count, undefined);
  });
  test('are not given just because they are inherited', () => {
    const shape = { constructor: is.optional(is.string()), toString: is.optional(is.string()) } as never;
    assert.deepEqual({ ...(readInput({}, shape) as object) }, { constructor: undefined, toString: undefined });
    assert.throws(
      () => readInput(Object.create({ name: 'inherited' }), SHAPE),
      graceError('BAD_INPUT', /^input\.name: .* got nothing/),
    );
  });
  test('can be fields of a shape', () => {
    assert.equal(readInput({ constructor: 'x' }, { constructor: is.string() } as never)['constructor'], 'x');
  });
});
