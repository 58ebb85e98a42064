import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { z } from 'zod';
import { checkDepth } from './json.ts';
import { methodsOf } from './paths.ts';
import { checked, type Schema } from './schema.ts';

const accepts = (schema: Schema, value: unknown): boolean => {
  try {
    checked(schema, value, 'body');
    return true;
  } catch (error) {
    assert.ok(error instanceof GraceError && error.code === 'BAD_INPUT', String(error));
    return false;
  }
};

const leaf: fc.Arbitrary<Schema> = fc.oneof(
  fc.record({ type: fc.constant('string'), minLength: fc.nat(3), maxLength: fc.integer({ min: 3, max: 6 }) }),
  fc.constant({ type: 'string', enum: ['a', 'b'] }),
  fc.constant({ type: 'string', pattern: '^[a-c]+$' }),
  fc.record({ type: fc.constant('integer'), minimum: fc.nat(5), maximum: fc.integer({ min: 5, max: 9 }) }),
  fc.constant({ type: 'boolean' }),
);
const schemas: fc.Arbitrary<Schema> = fc.oneof(
  leaf,
  leaf.map((items): Schema => ({ type: 'array', items, maxItems: 2 })),
  fc
    .record({ a: leaf, b: leaf })
    .map((properties): Schema => ({ type: 'object', properties, required: ['a'], additionalProperties: false })),
);
const values = fc.oneof(
  fc.constantFrom('', 'a', 'abc', 'abcdefgh', 3, 7, 7.5, -1, true, null),
  fc.array(fc.constantFrom('a', 7, true), { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), fc.constantFrom('a', 7, true, null)),
);

describe('what a request says is checked', () => {
  test('as another reader of JSON Schema would', () => {
    fc.assert(
      fc.property(schemas, values, (schema, value) => {
        const other = z.fromJSONSchema(schema as never).safeParse(value).success;
        assert.equal(accepts(schema, value), other, `${JSON.stringify(schema)} ${JSON.stringify(value)}`);
      }),
      { numRuns: 500 },
    );
  });

  test('numbers and truths of a query are read from text, and nothing else is', () => {
    const schema: Schema = {
      type: 'object',
      properties: { n: { type: 'integer', minimum: 0 }, t: { type: 'boolean' } },
    };
    assert.deepEqual(checked(schema, { n: '12', t: 'true' }, 'query', true), { n: 12, t: true });
    for (const n of ['', ' 1', '1e3', '0x10', '1.5', '-1', '99999999999999999', ['1', '2']])
      assert.throws(() => checked(schema, { n }, 'query', true), { code: 'BAD_INPUT' });
    assert.throws(() => checked(schema, { m: '1' }, 'query', true), /"m" is not known here.*known: n, t/);
  });

  test('depth is counted outside of texts alone', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 130 }), fc.string(), (depth, text) => {
        const body = `${'['.repeat(depth)}${JSON.stringify(`[[${text}"{`)}${']'.repeat(depth)}`;
        if (depth <= 64) checkDepth(body);
        else assert.throws(() => checkDepth(body), { code: 'API_MALFORMED' });
      }),
    );
  });

  test('a path is told its methods', () => {
    const routes = [
      { path: '/a', method: 'GET' as const },
      { path: '/a/:b', method: 'DELETE' as const },
      { path: '/a/:b/*', method: 'GET' as const },
    ];
    assert.deepEqual(methodsOf(routes, '/a'), ['GET']);
    assert.deepEqual(methodsOf(routes, '/a/x'), ['DELETE']);
    assert.deepEqual(methodsOf(routes, '/a/x/y/z'), ['GET']);
    assert.deepEqual(methodsOf(routes, '/a/'), []);
    assert.deepEqual(methodsOf(routes, '/b'), []);
  });
});
