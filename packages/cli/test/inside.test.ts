import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { catalogue } from '@grace/kernels';
import { bootSystem, type System } from '@grace/testkit';
import { root } from './command.ts';

const FIXTURE = join(import.meta.dirname, 'fixtures/breaking.mjs');

/** What each kernel loses; see fixtures/breaking.mjs. The bus comes last: without it the others may be taken for broken, too. */
const WAYS: Record<string, string> = {
  immutable_log: 'disk',
  governance: 'forgets',
  self_healing: 'forgets',
  coding_agent: 'forgets',
  clarity_framework: 'forgets',
  verification_framework: 'timeless',
  secret_manager: 'disk',
  infrastructure_manager: 'disk',
  memory_fusion: 'closed',
  librarian: 'alone',
  sandbox: 'threadless',
  health_monitor: 'blind',
  trigger_mesh: 'silenced',
  scheduler: 'forgets',
  api_server: 'deaf',
  agentic_spine: 'forgets',
  voice_conversation: 'forgets',
  meta_loop: 'forgets',
  learning_integration: 'forgets',
  message_bus: 'ports',
};

describe('a kernel that is broken from inside', () => {
  const kernels = catalogue('');
  let system: System;
  before(async () => {
    // From source: a bundle holds its thread as well, and takes what it is built on before anybody can wrap it.
    const wrapped = (id: string): string =>
      [
        `import { breakable } from ${JSON.stringify(FIXTURE)};`,
        `const { default: kernel } = await import(${JSON.stringify(join(root, 'packages/kernels/src', id, 'kernel.ts'))});`,
        'export default breakable(kernel);\n',
      ].join('\n');
    const patient = { probe: { interval: '500ms' }, restart: { budget: 50 } };
    system = await bootSystem({
      config: {
        kernels: Object.fromEntries(kernels.map(({ id }) => [id, { module: `./${id}.mjs`, ...patient }])),
      },
      files: Object.fromEntries(kernels.map(({ id }) => [`${id}.mjs`, wrapped(id)])),
    });
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
  });
  after(() => system?.stop());

  test('is in the table, whichever it is', () => {
    assert.deepEqual(Object.keys(WAYS).sort(), kernels.map(({ id }) => id).sort());
  });

  for (const [id, way] of Object.entries(WAYS))
    test(`${id}, which is ${way} now: its probe says so, and the supervisor puts a new life in its place`, async () => {
      // Whoever needs what was broken before may still be on its way back.
      const { incarnation } = await system.back(id, 0, 60_000);
      await system.call(id, 'break', { way });
      const back = await system.back(id, incarnation, 60_000);
      const records = (await system.journal('kernel:probe', 'kernel:restart', 'incident:open')).filter(
        (record) => record.kernel === id,
      );
      const failures = records.filter(
        (record) => record.name === 'kernel:probe' && record.incarnation === incarnation && !record.data.ok,
      );
      assert.ok(failures.length >= 2, `its probe failed ${failures.length} times`);
      const restarts = records.flatMap((record) => (record.name === 'kernel:restart' ? [record] : []));
      assert.deepEqual(restarts.at(-1)?.data.cause, 'probe');
      assert.ok(records.some(({ name }) => name === 'incident:open'));
      assert.equal(back.incarnation, incarnation + 1, 'one life was enough');
    });
});
