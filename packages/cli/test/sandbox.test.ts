import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bootSystem, poll, type System } from '@grace/testkit';

describe('the sandbox in a whole system', () => {
  let system: System;
  before(async () => {
    system = await bootSystem({ args: ['--only', 'sandbox'] });
    assert.equal(system.booted.code, 0, system.booted.stderr);
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('a cell that is killed while it runs things loses no record, and leaves no program', async () => {
    const call = (verb: string, input: unknown) =>
      system.call<{ state: string; isolation: object }[]>('sandbox', verb, input);
    const files = { 'wait.cjs': 'setInterval(() => {}, 1000)' };
    const program = { id: 'program', command: 'node', args: ['wait.cjs'], files, timeoutMs: 200_000 };
    const ended = Promise.allSettled([
      call('execute', program),
      call('evaluate', { id: 'snippet', code: 'for (;;);', timeoutMs: 60_000 }),
    ]);
    await poll('both to run', async () => (await call('runs', { state: 'running' })).length === 2);
    const { incarnation } = await system.kernel('sandbox');
    process.kill(await system.cellPid('work'), 'SIGKILL');
    await system.back('sandbox', incarnation);
    for (const id of ['program', 'snippet']) assert.equal((await call('runs', { id }))[0]!.state, 'lost', id);
    assert.ok((await ended).every(({ status }) => status === 'rejected'));
  });

  test('leaves nothing behind when it stops', async () => {
    await system.stop();
  });
});
