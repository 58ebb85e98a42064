import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StatementSync } from 'node:sqlite';
import { test } from 'node:test';
import { systemClock } from '@grace/contracts';
import { createStore } from '@grace/kernel-sdk';
import { withAgent } from './fixtures/agent-rig.ts';
import { treeOf } from './fixtures/tree.ts';
import { createProbe } from './probe.ts';
import { createTaskQueue } from './tasks/queue.ts';
import { PATCH_TABLES, TASK_TABLES } from './tasks/task.ts';
import { createWorkshop } from './workshop/workshop.ts';

const FIRST = { json: 0, python: 0, typescript: 0 };
/** A queue in a store of its own. */
function queueIn(folder: string) {
  const store = createStore(folder);
  store.migrate([TASK_TABLES, PATCH_TABLES]);
  return createTaskQueue(store, systemClock, () => {});
}
const ctxOf = (stateDir: string) => ({ clock: systemClock, signal: new AbortController().signal, stateDir });

test('the probe finds the planted defect in JSON, Python and TypeScript and proposes the one right patch, in the workshop too', async () => {
  const workshop = createWorkshop({ threads: 1, idleMs: 1000 });
  try {
    const probe = createProbe({ ctx: ctxOf(treeOf()), workshop, queue: queueIn(treeOf()), firstMs: FIRST });
    assert.deepEqual((await probe.run())['tried'], ['json', 'python', 'typescript']);
    assert.deepEqual((await probe.run())['tried'], ['json']);
    assert.ok((await workshop.stats()).probes >= 8);
  } finally {
    await workshop.close();
  }
});

test('the probe fails when the workshop proposes another patch, believes one that mends nothing, or sees nothing', async () => {
  const workshop = createWorkshop({ threads: 1, idleMs: 5000 });
  type Answered = (name: string, value: never) => unknown;
  const broken = (change: Answered) => ({
    broke: () => 0,
    probe: (async (name: 'list', task: never, signal: AbortSignal) =>
      change(name, (await workshop.probe(name, task, signal)) as never)) as typeof workshop.probe,
  });
  const breakages: [RegExp, Answered][] = [
    [/found: nothing/, (name, value: never) => (name === 'examine' ? [] : value)],
    [
      /proposed: nothing/,
      (name, value: { candidates: unknown[] }) => (name === 'propose' ? { ...value, candidates: [] } : value),
    ],
    [
      /was to be mended by ruff:F401/,
      (name, value: { candidates: { files: { after: string }[] }[] }) => {
        if (name === 'propose') value.candidates[0]!.files[0]!.after += '# more\n';
        return value;
      },
    ],
    [
      /mends nothing was taken/,
      (name, value: object) => (name === 'prove' ? { ...value, isGone: true, fresh: [] } : value),
    ],
    [
      /the right patch .* was not taken/,
      (name, value: object) => (name === 'prove' ? { ...value, fresh: ['x'] } : value),
    ],
  ];
  try {
    for (const [message, change] of breakages) {
      const probe = createProbe({
        ctx: ctxOf(treeOf()),
        workshop: broken(change),
        queue: queueIn(treeOf()),
        firstMs: { ...FIRST, typescript: 1e9 },
      });
      await assert.rejects(async () => await probe.run(), message);
    }
  } finally {
    await workshop.close();
  }
});

test('the probe of a hosted kernel fails when it cannot plant its source, and answers again when it can', () =>
  withAgent({ roots: [] }, async ({ rig, call }) => {
    assert.deepEqual((await rig.probe('coding_agent'))['tried'], ['json']);
    const place = join(rig.stateDir('coding_agent'), 'probe');
    rmSync(place, { recursive: true });
    writeFileSync(place, '');
    await assert.rejects(rig.probe('coding_agent'));
    rmSync(place);
    await rig.probe('coding_agent');
    assert.deepEqual(await call('tasks'), [], 'it leaves no task behind');
  }));

test('the probe of a hosted kernel fails when what it writes does not reach the store', () =>
  withAgent({ roots: [] }, async ({ rig }) => {
    await rig.probe('coding_agent');
    const run = StatementSync.prototype.run;
    StatementSync.prototype.run = () => ({ changes: 1, lastInsertRowid: 1 });
    try {
      await assert.rejects(rig.probe('coding_agent'), /there is no task/);
    } finally {
      StatementSync.prototype.run = run;
    }
    await rig.probe('coding_agent');
  }));

test('a process of the workshop that dies makes its work fail with a code, the next probe try it, and another take its place', async () => {
  const root = treeOf({ 'a.py': 'import os\n' });
  await withAgent({ roots: [root], config: { idleMs: 60_000 } }, async ({ rig, call, scan }) => {
    await scan(root);
    const { pool } = await call<{ pool: { pid: number } }>('status');
    process.kill(pool.pid, 'SIGKILL');
    writeFileSync(join(root, 'a.py'), 'import sys\n');
    // Either its end was seen before the scan, and another process has done it, or the scan was cut off and says so.
    const cut = await scan(root).then(
      () => null,
      (error: { code: string }) => error.code,
    );
    assert.ok(cut === null || cut === 'INTERNAL', String(cut));
    assert.equal((await scan(root)).findings.byRule['F401'], 1);
    if (cut === 'INTERNAL') assert.ok(((await rig.probe('coding_agent'))['tried'] as string[]).includes('python'));
    const after = await call<{ pool: { pid: number } }>('status');
    assert.notEqual(after.pool.pid, pool.pid);
  });
});
