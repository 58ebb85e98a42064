import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentIds } from './recent-ids.ts';

test('the latest 8192 ids are known, older ones are not, whether or not somebody asked in between', () => {
  for (const askEvery of [1, 5000, 20_001]) {
    const recent = new RecentIds();
    for (let n = 0; n < 20_000; n++) {
      recent.add(`id-${n}`);
      if (n % askEvery === 0) assert.equal(recent.has(`id-${n}`), true);
    }
    assert.equal(recent.has('id-19999'), true);
    assert.equal(recent.has(`id-${20_000 - 8192}`), true);
    assert.equal(recent.has(`id-${20_000 - 8193}`), false);
    assert.equal(recent.has('never'), false);
  }
});
