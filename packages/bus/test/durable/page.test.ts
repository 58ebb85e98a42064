import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poll } from '@grace/testkit';
import { WIRES } from '../bed.ts';
import { keptBeds } from './bed.ts';

for (const wire of WIRES) {
  test(`what is published while the first page of a new broker is on its way comes, over a ${wire}`, async (t) => {
    const beds = keptBeds(t);
    const first = await beds.start();
    const before = await first.connect(wire, 'beta');
    await before.subscribe('task.a', () => {});
    await before.publish('task.a', 1);
    await poll('it is settled', () => first.durable().waiting === 0);
    await first.close();

    // Nothing is left to be given, so no acknowledgement asks for the next page.
    const second = await beds.start();
    const client = await second.connect(wire, 'beta');
    const got: unknown[] = [];
    await Promise.all([
      client.subscribe('task.a', ({ payload }) => void got.push(payload)),
      client.publish('task.a', 2),
      client.publish('task.a', 3),
    ]);
    await poll('both came', () => got.length === 2);
    assert.deepEqual(got, [2, 3]);
  });
}
