import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkshop } from './workshop.ts';

const TEXT = 'The archive of the city keeps maps, letters and ledgers in separate rooms.\n\n'.repeat(200);

test('a thread that has work is not ended when memory is short', async (t) => {
  const workshop = createWorkshop(1);
  t.after(() => workshop.close());
  const work = workshop.summarise(TEXT, 2);
  assert.equal(await workshop.shed(), 0);
  assert.ok((await work).length > 0);
  assert.equal(await workshop.shed(), 1);
  assert.equal(await workshop.shed(), 0);
  assert.deepEqual(await workshop.stats(), { here: 0, pooled: 1, failed: 0, threads: 0, queue: 0 });
});
