import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMissed } from './missed.ts';

const exit = (incarnation: number) => ({ kernel: 'k', incarnation, code: 1 });

test('what nobody heard is kept in order, the latest thousand, the rest counted; samples are not kept', () => {
  const missed = createMissed();
  for (let n = 0; n < 1200; n++) {
    missed.keep('kernel.exit', exit(n));
    missed.keep('sample', {});
  }
  const told = missed.take();
  assert.equal(told.dropped, 200);
  assert.deepEqual(
    told.notices.map(({ data }) => (data as { incarnation: number }).incarnation),
    Array.from({ length: 1000 }, (_, i) => 200 + i),
  );
  assert.deepEqual(missed.take(), { notices: [], dropped: 0 });
});

test('what could not be delivered goes before what came since', () => {
  const missed = createMissed();
  missed.keep('kernel.exit', exit(1));
  const told = missed.take();
  missed.keep('kernel.exit', exit(2));
  missed.giveBack(told);
  assert.deepEqual(
    missed.take().notices.map(({ data }) => data),
    [exit(1), exit(2)],
  );
});

test('the end of a thread that a dying supervisor may not have read is told again, and nothing else is', () => {
  let nowMono = 0;
  const missed = createMissed(() => nowMono);
  missed.wrote('kernel.exit', exit(1));
  nowMono = 5000;
  missed.wrote('kernel.report', { n: 2 });
  missed.wrote('kernel.exit', exit(3));
  nowMono = 5100;
  missed.keep('kernel.report', { n: 4 });
  missed.lost();
  assert.deepEqual(
    missed.take().notices.map(({ data }) => data),
    [exit(3), { n: 4 }],
  );
  missed.lost();
  assert.deepEqual(missed.take().notices, []);
});
