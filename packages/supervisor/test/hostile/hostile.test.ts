import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { System } from '@grace/testkit';
import { bootHostile } from './bed.ts';
import { CASES } from './cases.ts';
import { hostileTests } from './suite.ts';

describe('a hostile kernel', () => {
  let system: System;
  before(async () => {
    system = await bootHostile();
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => system?.site.close({ mayLeave: true }));

  hostileTests(() => system, CASES);

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});
