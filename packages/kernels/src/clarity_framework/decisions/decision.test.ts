import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@grace/contracts';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { ID, withClarity } from '../fixtures/bench.ts';
import type { Story } from '../story/story.ts';
import { createDecisionBook } from './book.ts';

describe('a decision', () => {
  test('is kept as it was said, with the principal that said it, over a restart', () =>
    withClarity(async ({ rig, as, call }) => {
      const said = {
        what: 'move the librarian',
        who: 'a person at the desk',
        where: 'librarian',
        why: 'its cell is full',
        how: 'isolate',
        alternatives: [{ what: 'wait', whyNot: 'it grows' }],
        evidence: { records: [7, 7], incidents: ['inc-1'], audit: [3] },
        confidence: 0.7,
        correlation: 'c-1',
      };
      const { id } = await as('scheduler', 'record', said);
      const second = await as('cli', 'record', { what: 'leave it there', evidence: { decisions: [id] } });
      await rig.restart(ID);
      const { decisions } = await call<{ decisions: Record<string, unknown>[] }>('decisions', { id });
      const { atMs, ...kept } = decisions[0]!;
      assert.ok(Math.abs(Number(atMs) - Date.now()) < 600_000);
      const evidence = { records: [7], incidents: ['inc-1'], audit: [3], decisions: [] };
      assert.deepEqual(kept, { ...said, id, by: 'scheduler', whenMs: null, evidence });
      const story = await call<Story>('explain', { decision: id });
      assert.ok(story.done.some(({ text }) => text === 'cli decided because of it: leave it there'));
      assert.equal((await call<Story>('explain', { decision: second.id })).first[0]!.links.length, 1);
    }));

  test('said again under its key is the same, and another under that key is refused', () =>
    withClarity(async ({ as }) => {
      const first = await as('scheduler', 'record', { what: 'a', key: 'k' });
      assert.deepEqual(await as('scheduler', 'record', { what: 'a', key: 'k' }), { ...first, repeated: true });
      await assert.rejects(as('scheduler', 'record', { what: 'b', key: 'k' }), { code: 'CONFLICT' });
      assert.notEqual((await as('librarian', 'record', { what: 'b', key: 'k' })).id, first.id);
    }));

  test('goes to the audit record once, also when that could not be reached at first', () => {
    const everything = { allow: ['>'], deny: [] };
    const nothing = { allow: [], deny: [] };
    const all = { publish: everything, subscribe: everything };
    return withClarity(
      async ({ rig, call }) => {
        const entries: { idempotencyKey: string; actor: string; payload: { what: string } }[] = [];
        await call('record', { what: 'while nobody listens' });
        await poll('the refusal', () =>
          rig.logs.some(({ message }) => message === 'the audit record could not be reached'),
        );
        assert.equal((await call<{ unsent: number }>('status')).unsent, 1);
        const permit = {
          principal: ID,
          publish: ['audit.clarity_framework'],
          subscribe: [],
          untilMono: systemClock.monoMs() + 600_000,
        };
        rig.broker.permit(permit, 'test');
        await rig.bus('audit').subscribe('audit.>', ({ payload }) => void entries.push(payload as never));
        await poll('the first', async () => (await call<{ unsent: number }>('status')).unsent === 0);
        await call('record', { what: 'later' });
        await poll('both', async () => (await call<{ unsent: number }>('status')).unsent === 0);
        assert.deepEqual(entries.map(({ payload }) => payload.what).sort(), ['later', 'while nobody listens']);
        assert.equal(new Set(entries.map(({ idempotencyKey }) => idempotencyKey)).size, 2);
      },
      { acl: { kernels: { publish: nothing, subscribe: everything }, principals: { supervisor: all, audit: all } } },
    );
  });

  test('that was answered survives kill -9 in the middle of the next', async () => {
    const fixture = fileURLToPath(new URL('../fixtures/records-for-ever.ts', import.meta.url));
    const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    const ended = once(child, 'close');
    await poll('fifty answers', () => output.split('\n').length > 52, { deadlineMs: 60_000 });
    child.kill('SIGKILL');
    await ended;
    const [home, ...answers] = output.split('\n').slice(0, -1);
    const store = createStore(join(home!, ID));
    try {
      const book = createDecisionBook(store);
      for (const answer of answers) {
        const [id, n] = answer.split(' ');
        assert.equal(book.get(id!).what, `decision ${n}`);
      }
      assert.ok(book.counts().kept - answers.length <= 1, 'at most the one that was under way is there beside them');
    } finally {
      store.close();
      rmSync(home!, { recursive: true, force: true });
    }
  });
});
