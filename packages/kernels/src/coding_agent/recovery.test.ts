import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { withAgent } from './fixtures/agent-rig.ts';
import { contentOf, put, treeOf } from './fixtures/tree.ts';

const FILES = 40;
const every = (word: string) => Object.fromEntries(Array.from({ length: FILES }, (_, i) => [`f${i}`, `${word} ${i}`]));

/** Kills a process in the middle of a change of 40 files, and hands over what it has left. */
async function killed(
  act: 'apply' | 'revert',
  body: (left: { root: string; id: string; store: ReturnType<typeof createStore> }) => Promise<void>,
) {
  const root = treeOf(every(act === 'apply' ? 'old' : 'new'));
  const fixture = fileURLToPath(new URL('./fixtures/applies-until-killed.ts', import.meta.url));
  const child = spawn(process.execPath, [fixture, root, act, String(FILES)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGKILL');
  await ended;
  const { home, id } = JSON.parse(line.toString()) as { home: string; id: string };
  const store = createStore(join(home, 'coding_agent'));
  try {
    await body({ root, id, store });
  } finally {
    store.close();
    rmSync(home, { recursive: true, force: true });
  }
}
const visible = (root: string) =>
  Object.fromEntries(Object.entries(contentOf(root)).filter(([name]) => !name.startsWith('.')));

describe('kill -9 in the middle of a change of many files', () => {
  for (const [act, state, word] of [
    ['apply', 'applied', 'new'],
    ['revert', 'reverted', 'old'],
  ] as const)
    test(`${act}: the next life finishes it, tells the record once, and leaves nothing beside the files`, () =>
      killed(act, async ({ root, id, store }) => {
        const done = Object.values(visible(root)).filter((text) => text.startsWith(word));
        assert.equal(done.length, 3, 'it was in the middle');
        await withAgent({ roots: [root], change: () => ({ store }) }, async ({ call, audit }) => {
          assert.equal((await call('task', { id })).state, state);
          assert.deepEqual(contentOf(root), every(word));
          await poll('the record has it', () => audit.length > 0);
          assert.deepEqual(
            audit.map(({ action, outcome }) => [action, outcome]),
            [[`change:${act}`, 'ok']],
          );
        });
      }));

  test('where somebody else changed a file meanwhile, the others are taken back and that one is theirs', () =>
    killed('apply', async ({ root, id, store }) => {
      const last = `f${FILES - 1}`;
      put(root, last, 'theirs');
      await withAgent({ roots: [root], change: () => ({ store }) }, async ({ call, audit }) => {
        assert.equal((await call('task', { id })).state, 'verified');
        assert.deepEqual(contentOf(root), { ...every('old'), [last]: 'theirs' });
        await poll('the record has it', () => audit.length > 0);
        assert.deepEqual(
          audit.map(({ outcome }) => outcome),
          ['taken back'],
        );
        await assert.rejects(call('apply', { id }), { code: 'CONFLICT' });
        assert.deepEqual(
          readdirSync(root).filter((name) => name.startsWith('.')),
          [],
        );
      });
    }));
});

test('a task that was being analysed when the kernel died begins again, whatever its state, and ends verified', async () => {
  const states = ['queued', 'analysing', 'proposed'] as const;
  const root = treeOf(Object.fromEntries(states.map((state) => [`${state}.json`, '{"a": [1,]}\n'])));
  await withAgent({ roots: [root] }, async ({ rig, call, mend, done }) => {
    const ids: string[] = [];
    for (const state of states) ids.push((await mend(root, `${state}.json`, 'json-trailing-comma')).id);
    // As `kill -9` in that state would leave it.
    const store = createStore(rig.stateDir('coding_agent'));
    for (const [i, state] of states.entries()) {
      const { task } = store.db.prepare('SELECT task FROM tasks WHERE id = ?').get(ids[i]!) as { task: string };
      const left = JSON.stringify({ ...JSON.parse(task), state, change: null });
      store.db.prepare('UPDATE tasks SET state = ?, task = ? WHERE id = ?').run(state, left, ids[i]!);
    }
    store.close();
    await rig.restart('coding_agent');
    for (const id of ids) {
      const { state, change } = await done(id);
      assert.deepEqual([state, change?.strategy], ['verified', 'syntax:trailing-comma']);
    }
    assert.equal((await call('apply', { id: ids[1] })).state, 'applied');
  });
});
