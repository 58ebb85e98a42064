import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore, type KernelDefinition } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import {
  add,
  HOUR,
  history,
  jobs,
  note,
  settableClock,
  states,
  withContext,
  withRig,
  worker,
} from './fixtures/scheduler-rig.ts';
import kernel from './kernel.ts';

describe('exactly once per due time', () => {
  test('a clock set forward makes up for what was missed, one after the other; set back, it runs nothing again', () => {
    const { clock, made } = settableClock();
    return withRig([withContext(() => ({ clock: made }))], async (rig) => {
      let seen = 0;
      await rig.bus('listener').subscribe('task.note', () => void seen++);
      await add(rig, { id: 'hourly', every: '1h', missed: { policy: 'all' }, ...note });
      await add(rig, { id: 'last', every: '1h', missed: { policy: 'once' }, ...note });
      await add(rig, { id: 'none', every: '1h', ...note });
      // The clock is looked at every few seconds; whoever asks something of the timetable makes it look at once.
      const set = async (offsetMs: number) => {
        clock.offsetMs = offsetMs;
        await add(rig, { id: 'spare', every: '1d', replace: true, ...note });
      };
      await set(3.5 * HOUR);
      await poll(
        'the runs of the jump',
        async () => (await states(rig, 'hourly')).filter((state) => state === 'ok').length === 3,
      );
      await poll(
        'the last run of the jump',
        async () => (await states(rig, 'last')).filter((state) => state === 'ok').length === 1,
      );
      const missed = async (id: string) =>
        (await history(rig, id)).filter(({ state }) => state === 'missed').map(({ count }) => count);
      assert.deepEqual([await missed('hourly'), await missed('last'), await missed('none')], [[], [2], [3]]);
      assert.deepEqual(
        (await history(rig, 'hourly')).map(({ due }) => due),
        (await history(rig, 'hourly'))
          .map(({ due }) => due)
          .sort()
          .reverse(),
      );
      const before = await history(rig);

      await set(0);
      const jumps = async () => ((await rig.call('scheduler', 'status')) as { clock: { jumps: number } }).clock.jumps;
      await poll('the clock to be seen going back', async () => (await jumps()) === 2);
      // Again over the same hours: they have run.
      await set(3.2 * HOUR);
      await poll('the clock to be seen going forward', async () => (await jumps()) === 3);
      await rig.probe('scheduler');
      assert.deepEqual((await history(rig, 'hourly')).length, before.filter(({ job }) => job === 'hourly').length);
      assert.equal(seen, 4);
    });
  });

  test('a restart makes up for what was due while it was down, and repeats nothing', () => {
    const { clock, made } = settableClock();
    return withRig([withContext(() => ({ clock: made }))], async (rig) => {
      await add(rig, { id: 'shot', inMs: HOUR, ...note });
      await add(rig, { id: 'skipped', inMs: HOUR, missed: { policy: 'skip' }, ...note });
      await add(rig, { id: 'yearly', cron: '0 0 1 1 *', timezone: 'Europe/Berlin', ...note });
      clock.offsetMs = 5 * HOUR;
      await rig.restart('scheduler');
      await poll('the one-shots to be gone', async () => (await jobs(rig)).map(({ id }) => id).join() === 'yearly');
      assert.deepEqual([await states(rig, 'shot'), await states(rig, 'skipped')], [['ok'], ['missed']]);
      await rig.restart('scheduler');
      await rig.probe('scheduler');
      assert.deepEqual([await states(rig, 'shot'), await states(rig, 'skipped')], [['ok'], ['missed']]);
    });
  });

  test('a due time that is claimed never runs again, even when the job forgets how far it came', () =>
    withRig([kernel], async (rig) => {
      let seen = 0;
      await rig.bus('listener').subscribe('task.note', () => void seen++);
      await add(rig, { id: 'tick', every: 200, missed: { policy: 'all' }, ...note });
      await poll('three runs', async () => (await states(rig, 'tick')).filter((state) => state === 'ok').length >= 3);
      await rig.call('scheduler', 'pause', { id: 'tick', paused: true });
      await poll('runs to end', async () => !(await states(rig, 'tick')).includes('running'));
      const before = (await history(rig, 'tick')).length;
      const db = new DatabaseSync(join(rig.stateDir('scheduler'), 'store.sqlite'));
      db.exec(
        `UPDATE jobs SET settled_ms = ${Date.parse((await history(rig, 'tick')).at(-1)!.due) - 1}, job = json_set(job, '$.paused', json('false'))`,
      );
      db.close();
      await rig.restart('scheduler');
      await poll('another run', async () => (await history(rig, 'tick')).length > before + 1);
      await rig.call('scheduler', 'pause', { id: 'tick', paused: true });
      await poll('runs to end', async () => !(await states(rig, 'tick')).includes('running'));
      const all = await history(rig, 'tick');
      assert.equal(new Set(all.map(({ due }) => due)).size, all.length);
      assert.equal(seen, all.filter(({ state }) => state === 'ok').length);
    }));

  for (const [attempts, state] of [
    [1, 'interrupted'],
    [3, 'ok'],
  ] as const) {
    test(`a run that kill -9 ends is found interrupted and ${attempts === 1 ? 'not repeated' : 'tried again'} with ${attempts} attempts`, async () => {
      const fixture = fileURLToPath(new URL('./fixtures/claims-and-waits.ts', import.meta.url));
      const child = spawn(process.execPath, [fixture, String(attempts)], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const home = line.toString().trim();
      child.kill('SIGKILL');
      await ended;
      const { asked, definition } = worker();
      const slow: KernelDefinition = {
        id: 'slow',
        start: async (ctx) => {
          const made = await definition.start(ctx);
          return { ...made, verbs: { wait: () => void asked.push({ n: 0, finish: () => {} }) } };
        },
      };
      const store = createStore(join(home, 'scheduler'));
      try {
        await withRig([slow, withContext(() => ({ store }))], async (rig) => {
          await poll('the job to be gone', async () => (await jobs(rig)).length === 0);
          const [run, ...more] = await history(rig, 'caught');
          assert.deepEqual([run?.state, run?.interruptions, more.length], [state, 1, 0]);
          assert.equal(asked.length, attempts === 1 ? 0 : 1);
        });
      } finally {
        store.close();
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
