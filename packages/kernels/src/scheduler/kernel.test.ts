import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '@grace/contracts';
import { createStore, defineKernel, type KernelContext, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import { permitsAll } from './fixtures/permits-all.ts';
import kernel from './kernel.ts';

const HOUR = 3_600_000;

type Shown = {
  job: string;
  state: string;
  kind: string;
  attempt: number;
  interruptions: number;
  due: string;
  count: number;
  error: string | null;
};
const add = (rig: KernelRig, job: Record<string, unknown>) =>
  rig.call('scheduler', 'add', job) as Promise<{ next: string; replaced: boolean }>;
const history = async (rig: KernelRig, id?: string) =>
  (await rig.call('scheduler', 'history', id === undefined ? {} : { id, limit: 1000 })) as Shown[];
const jobs = async (rig: KernelRig) => (await rig.call('scheduler', 'jobs')) as { id: string; next: string | null }[];
const states = async (rig: KernelRig, id: string) => (await history(rig, id)).map(({ state }) => state);

/** A kernel whose verb ends when the test says so. */
function worker() {
  const asked: { n: number; finish: (error?: Error) => void }[] = [];
  const definition = defineKernel({
    id: 'worker',
    start: () => ({
      verbs: {
        work: () =>
          new Promise((resolve, reject) => {
            asked.push({ n: asked.length, finish: (error) => (error ? reject(error) : resolve({})) });
          }),
        flaky() {
          asked.push({ n: asked.length, finish: () => {} });
          if (asked.length < 3) throw new Error('not yet');
          return {};
        },
      },
      probe: () => ({}),
    }),
  });
  return { asked, definition };
}
const work = { call: { kernel: 'worker', verb: 'work' } };
const note = { publish: { subject: 'task.note', payload: { hello: 1 } } };

/** The wall clock as an operator would set it; the monotonic one goes on. */
function settableClock() {
  const clock = { offsetMs: 0 };
  const made: Clock = { wallMs: () => Date.now() + clock.offsetMs, monoMs: () => systemClock.monoMs() };
  return { clock, made };
}
const withContext = (change: (ctx: KernelContext) => Partial<KernelContext>): KernelDefinition =>
  defineKernel({ id: kernel.id, start: (ctx) => kernel.start({ ...ctx, ...change(ctx) }) });
const withBus = (ctx: KernelContext, changes: Partial<KernelContext['bus']>): KernelContext['bus'] => ({
  connected: true,
  publish: (...args) => ctx.bus.publish(...args),
  subscribe: (...args) => ctx.bus.subscribe(...args),
  request: (...args) => ctx.bus.request(...args),
  close: () => ctx.bus.close(),
  counters: () => ctx.bus.counters(),
  ...changes,
});

async function withRig(definitions: KernelDefinition[], body: (rig: KernelRig) => Promise<void>) {
  const rig = await rigKernels([permitsAll, ...definitions]);
  try {
    await body(rig);
  } finally {
    await rig.close();
  }
}

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
