import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelDefinition } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import {
  add,
  HOUR,
  history,
  jobs,
  note,
  type Shown,
  states,
  withBus,
  withContext,
  withRig,
  work,
  worker,
} from './fixtures/scheduler-rig.ts';
import kernel from './kernel.ts';

describe('scheduler', () => {
  test('its probe runs a one-shot once, again and again, and leaves nothing behind', () =>
    withRig([kernel], async (rig) => {
      for (let i = 0; i < 5; i++) assert.equal((await rig.probe('scheduler'))['fired'], 1);
      assert.deepEqual(await history(rig), []);
      assert.deepEqual(await jobs(rig), []);
    }));

  const breakages: [string, KernelDefinition, RegExp][] = [
    [
      'its runs reach nobody',
      withContext((ctx) => ({ bus: withBus(ctx, { publish: async () => ({ id: 'nowhere' }) }) })),
      /came 0 times/,
    ],
    [
      'a run happens twice',
      withContext((ctx) => ({
        bus: withBus(ctx, {
          publish: async (subject, payload) => {
            await ctx.bus.publish(subject, payload);
            return await ctx.bus.publish(subject, payload);
          },
        }),
      })),
      /came 2 times/,
    ],
    [
      'claims cannot be written',
      withContext((ctx) => ({
        bus: withBus(ctx, {
          subscribe: async (...args) => {
            ctx.store.db.exec("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'full'); END");
            return await ctx.bus.subscribe(...args);
          },
        }),
      })),
      /came 0 times, its runs: none/,
    ],
  ];
  for (const [what, definition, message] of breakages) {
    test(`its probe fails when ${what}`, () =>
      withRig([definition], async (rig) => {
        await assert.rejects(rig.probe('scheduler'), message);
        assert.deepEqual(await jobs(rig), []);
      }));
  }

  test('a one-shot runs once and is gone, its run is kept', () =>
    withRig([kernel], async (rig) => {
      let seen = 0;
      const correlations: (string | undefined)[] = [];
      await rig.bus('listener').subscribe('task.note', ({ correlation }) => {
        seen++;
        correlations.push(correlation);
      });
      await add(rig, { id: 'soon', inMs: 20, ...note });
      await poll('the job to be gone', async () => (await jobs(rig)).length === 0);
      const [run, ...more] = await history(rig, 'soon');
      assert.deepEqual([run?.state, run?.attempt, more.length], ['ok', 1, 0]);
      assert.deepEqual([seen, correlations], [1, [`soon@${run?.due}`]]);
    }));

  test('a failed attempt is made again, as often as the job says', () => {
    const { asked, definition } = worker();
    return withRig([definition, kernel], async (rig) => {
      await add(rig, {
        id: 'flaky',
        inMs: 10,
        call: { kernel: 'worker', verb: 'flaky' },
        retry: { attempts: 5, backoff: 10 },
      });
      await add(rig, {
        id: 'lost',
        inMs: 10,
        call: { kernel: 'worker', verb: 'nothing' },
        retry: { attempts: 2, backoff: 10 },
      });
      await poll('both to end', async () => (await jobs(rig)).length === 0);
      assert.equal(asked.length, 3);
      const [flaky] = await history(rig, 'flaky');
      assert.deepEqual([flaky?.state, flaky?.attempt], ['ok', 3]);
      const [lost] = await history(rig, 'lost');
      assert.deepEqual([lost?.state, lost?.attempt], ['failed', 2]);
      assert.match(lost?.error ?? '', /UNKNOWN_VERB/);
    });
  });

  const overlaps: [string, string, (states: string[]) => boolean][] = [
    [
      'skip',
      'runs are skipped',
      (all) => all.filter((s) => s === 'running').length === 1 && all.filter((s) => s === 'skipped').length >= 2,
    ],
    [
      'queue',
      'one run waits, further ones are skipped',
      (all) => all.filter((s) => s === 'queued').length === 1 && all.filter((s) => s === 'skipped').length >= 2,
    ],
    ['allow', 'runs go side by side', (all) => all.filter((s) => s === 'running').length >= 3],
  ];
  for (const [overlap, what, isSeen] of overlaps) {
    test(`overlap ${overlap}: while a run has not ended ${what}`, () => {
      const { asked, definition } = worker();
      return withRig([definition, kernel], async (rig) => {
        await add(rig, { id: 'slow', every: 100, overlap, deadline: '5m', ...work });
        await poll(what, async () => isSeen(await states(rig, 'slow')));
        const begun = overlap === 'allow' ? 3 : 1;
        await poll('the runs to begin', () => asked.length >= begun);
        if (overlap !== 'allow') assert.equal(asked.length, begun);
        asked[0]!.finish();
        await poll('the next run', () => asked.length > begun);
        await rig.call('scheduler', 'pause', { id: 'slow', paused: true });
        await poll('all to end', async () => {
          for (const { finish } of asked) finish();
          return (await states(rig, 'slow')).every((state) => ['ok', 'skipped'].includes(state));
        });
      });
    });
  }

  test('a paused job does not run, and what was due in the pause is not caught up', () =>
    withRig([kernel], async (rig) => {
      await add(rig, { id: 'tick', every: 100, missed: { policy: 'all', grace: 100 }, ...note });
      await poll('a run', async () => (await history(rig, 'tick')).length > 0);
      await rig.call('scheduler', 'pause', { id: 'tick', paused: true });
      const before = (await history(rig, 'tick')).length;
      const pausedAt = performance.now();
      await poll('some periods', () => performance.now() - pausedAt > 500);
      assert.equal((await history(rig, 'tick')).length, before);
      assert.equal((await jobs(rig))[0]?.next, null);
      await rig.call('scheduler', 'pause', { id: 'tick', paused: false });
      const resumedMs = Date.now();
      await poll('a run again', async () => (await history(rig, 'tick')).length > before);
      const [, ...older] = await history(rig, 'tick');
      assert.ok(older.slice(0, -before).every(({ due }) => Date.parse(due) > resumedMs - 100));
    }));
});

describe('verbs', () => {
  test('jobs are added, listed, run by hand, replaced and removed', () => {
    const { asked, definition } = worker();
    return withRig([definition, kernel], async (rig) => {
      const made = await add(rig, {
        id: 'nightly',
        cron: '0 3 * * *',
        timezone: 'Europe/Berlin',
        deadline: '5m',
        ...work,
      });
      assert.equal(new Date(made.next).toISOString(), made.next);
      await assert.rejects(add(rig, { id: 'nightly', inMs: 5, ...note }), { code: 'CONFLICT' });
      const run = (await rig.call('scheduler', 'run', { id: 'nightly' })) as Shown;
      assert.equal(run.kind, 'manual');
      await poll('the run to begin', () => asked.length === 1);
      await assert.rejects(rig.call('scheduler', 'run', { id: 'nightly' }), { code: 'CONFLICT' });
      asked[0]!.finish();
      await poll('the run to end', async () => (await states(rig, 'nightly')).join() === 'ok');
      assert.equal((await add(rig, { id: 'nightly', every: '1h', replace: true, ...note })).replaced, true);
      const due = (await rig.call('scheduler', 'due', { withinMs: 3 * HOUR })) as { job: string }[];
      assert.deepEqual(
        due.map(({ job }) => job),
        ['nightly', 'nightly', 'nightly'].slice(0, due.length),
      );
      assert.ok(due.length >= 2);
      await rig.call('scheduler', 'remove', { id: 'nightly' });
      assert.deepEqual(await jobs(rig), []);
    });
  });

  test('bad input is refused with its field and the nearest valid name', () =>
    withRig([kernel], async (rig) => {
      await add(rig, { id: 'nightly', cron: '0 3 * * *', ...note });
      const refused: [string, unknown, RegExp][] = [
        ['remove', { id: 'nightyl' }, /did you mean "nightly"/],
        ['pause', { id: 'nightly', paused: 'yes' }, /input\.paused/],
        ['pause', { id: 'nightly', pausd: true }, /did you mean "paused"/],
        ['due', {}, /input\.withinMs/],
        ['due', { withinMs: -1 }, /input\.withinMs/],
        ['history', { limit: 1e9 }, /input\.limit/],
        ['run', {}, /input\.id/],
        ['add', { id: 'x', cron: '* * * *', ...note }, /5 to 7 fields/],
        ['status', { all: true }, /not a field/],
      ];
      for (const [verb, input, message] of refused)
        await assert.rejects(rig.call('scheduler', verb, input), message, `${verb} ${JSON.stringify(input)}`);
      await assert.rejects(rig.call('scheduler', 'ad'), /did you mean "add"/);
    }));
});
