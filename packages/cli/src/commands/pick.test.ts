import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraceError } from '@grace/contracts';
import { pick } from './pick.ts';

const answer = { items: [{ id: 'a' }, { id: 'b', none: null }], count: 2 };

test('a dotted path finds what lies there, in lists by their numbers', () => {
  assert.equal(pick(answer, 'items.1.id'), 'b');
  assert.equal(pick(answer, 'items.1.none'), null);
  assert.equal(pick(answer, 'count'), 2);
  assert.deepEqual(pick(answer, 'items.0'), { id: 'a' });
});

test('a path into nothing says where it ends and what is there', () => {
  const refused = (path: string, message: RegExp) =>
    assert.throws(
      () => pick(answer, path),
      (error) => error instanceof GraceError && error.code === 'USAGE' && message.test(error.message),
      path,
    );
  refused('itens.0.id', /the answer has no "itens" \(did you mean "items"\?\); it has items, count/);
  refused('items.2.id', /"items" of the answer has no "2".*it has 0, 1/);
  refused('count.value', /"count" of the answer has no "value"; it has nothing inside/);
  refused('items.1.none.id', /"items.1.none" of the answer has no "id"/);
  refused('', /the answer has no ""/);
  refused('constructor', /no "constructor"/);
  refused('__proto__.x', /no "__proto__"/);
});
