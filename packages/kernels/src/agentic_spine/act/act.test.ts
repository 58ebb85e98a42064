import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { poll } from '@grace/testkit';
import { addJob, type Bench, plan, remember, type Shown, withSpine } from '../fixtures/bench.ts';
import { diary } from '../fixtures/diary.ts';

const states = ({ steps }: Shown) => steps.map(({ state, undo }) => (undo ? `${state}, undo ${undo.state}` : state));

describe('a goal', () => {
  test('goes through its steps over real verbs, each with its own decision, and is on the record', () => {
    const audit: { outcome: string; payload: { steps: object[] } }[] = [];
    return withSpine(async ({ rig, call, memories, jobs }) => {
      await rig.bus('ear').subscribe('audit.agentic_spine', ({ payload }) => void audit.push(payload as never));
      const goal = await call('submit', { goal: 'two', waitMs: 50_000 });
      assert.deepEqual([goal.state, states(goal)], ['done', ['done', 'done']], goal.reason);
      assert.deepEqual([await memories(), await jobs()], [1, ['later']]);
      const decisions = (await rig.call('governance', 'decisions', {})) as { actor: string; resource: string }[];
      assert.deepEqual(
        decisions.reverse().map(({ actor, resource }) => `${actor} ${resource}`),
        ['memory_fusion.forget', 'memory_fusion.remember', 'scheduler.remove', 'scheduler.add'].map(
          (verb) => `cli ${verb}`,
        ),
      );
      await poll('the record', () => audit.length > 0);
      assert.deepEqual([audit[0]!.outcome, audit[0]!.payload.steps.length], ['done', 2]);
    });
  });

  test('in mode step survives a restart between two steps', () =>
    withSpine(async ({ rig, call, jobs }) => {
      const { id } = await call('submit', { goal: 'two', mode: 'step' });
      assert.deepEqual(states(await call('step', { id })), ['done', 'open']);
      await rig.restart('agentic_spine');
      assert.deepEqual(await jobs(), []);
      const goal = await call('step', { id });
      assert.deepEqual([goal.state, states(goal), await jobs()], ['done', ['done', 'done'], ['later']], goal.reason);
      await assert.rejects(call('step', { id }), { code: 'CONFLICT' });
    }));

  test('whose third step fails takes the first two back, the last first', () => {
    const run = { id: 'run', call: { kernel: 'scheduler', verb: 'run', input: { id: 'no_such_job' } } };
    const three = plan({ id: 'three', steps: [remember(), addJob(), run] });
    return withSpine(
      async ({ rig, call, memories, jobs }) => {
        const goal = await call('submit', { goal: 'three', waitMs: 50_000 });
        assert.deepEqual([goal.state, states(goal)], ['compensated', ['done, undo done', 'done, undo done', 'failed']]);
        assert.match(goal.reason, /run .*no_such_job.*taken back: add, remember; nothing takes back: run/);
        assert.deepEqual([await memories(), await jobs()], [0, []]);
        const { forgotten } = (await rig.call('memory_fusion', 'stats', {})) as { forgotten: number };
        assert.equal(forgotten, 1);
      },
      { plans: [three] },
    );
  });

  test('whose job was there before leaves it alone', () =>
    withSpine(
      async ({ rig, call, jobs, memories }) => {
        const job = { id: 'later', inMs: 3_600_000, publish: { subject: 'task.x', payload: {} } };
        await rig.call('scheduler', 'add', job);
        const goal = await call('submit', { goal: 'mine', waitMs: 50_000 });
        assert.deepEqual([goal.state, states(goal)], ['compensated', ['done, undo done', 'refused']], goal.reason);
        assert.deepEqual([await jobs(), await memories()], [['later'], 0]);
      },
      {
        plans: [
          plan({
            id: 'mine',
            steps: [
              remember(),
              addJob('later', {
                verify: {
                  call: { kernel: 'scheduler', verb: 'jobs', input: { id: 'later' } },
                  expect: 'seen != null && seen[0].action.publish.subject == "task.later"',
                },
              }),
            ],
          }),
        ],
      },
    ));

  const wrong: [string, object, RegExp][] = [
    [
      'a step that was done, but not as it must be',
      { steps: [remember({ verify: { expect: 'answer.known' } })] },
      /answer\.known is not so/,
    ],
    [
      'a step of which that cannot be told',
      { steps: [remember({ verify: { expect: 'answer.nothing == 1' } })] },
      /could not be told/,
    ],
    [
      'what must be so afterwards and cannot be looked at',
      {
        steps: [remember()],
        post: {
          call: { kernel: 'memory_fusion', verb: 'recall', input: { query: '{{steps.remember.answer.none}}' } },
          expect: 'size(seen) == 0',
        },
      },
      /all steps were done, but .*has no value/,
    ],
    [
      'what must be so afterwards and is not',
      { steps: [remember()], post: { expect: 'steps.remember.answer.known' } },
      /all steps were done, but/,
    ],
    [
      'a verb that is not there',
      { steps: [remember(), { id: 'x', call: { kernel: 'scheduler', verb: 'ad' } }] },
      /UNKNOWN_VERB.*scheduler has no verb "ad"/,
    ],
    [
      'a kernel that is not there',
      { steps: [remember(), { id: 'x', call: { kernel: 'nobody', verb: 'status' }, deadline: 300 }] },
      /BUS_NO_RESPONDERS/,
    ],
    [
      'an answer that a template needs and that is not there',
      {
        steps: [
          remember(),
          {
            id: 'x',
            call: { kernel: 'memory_fusion', verb: 'recall', input: { query: '{{steps.remember.answer.none}}' } },
          },
        ],
      },
      /x was not begun: BAD_INPUT: \{\{steps\.remember\.answer\.none\}\} has no value/,
    ],
  ];
  for (const [what, body, reason] of wrong)
    test(`with ${what} is taken back`, () =>
      withSpine(
        async ({ call, memories }) => {
          const goal = await call('submit', { goal: 'wrong', waitMs: 50_000 });
          assert.deepEqual([goal.state, await memories()], ['compensated', 0], goal.reason);
          assert.match(goal.reason, reason);
        },
        { plans: [plan({ id: 'wrong', ...body })] },
      ));

  test('is ended by its submitter and by the operator, and by nobody else', () =>
    withSpine(async ({ as, call, memories }) => {
      const { id } = await as('trigger_mesh', 'submit', { goal: 'two', mode: 'step' });
      await as('trigger_mesh', 'step', { id });
      assert.equal(await memories(), 1);
      for (const verb of ['abort', 'step']) await assert.rejects(as('scheduler', verb, { id }), { code: 'FORBIDDEN' });
      const goal = await call('abort', { id, reason: 'not wanted' });
      assert.deepEqual([goal.state, states(goal), await memories()], ['aborted', ['done, undo done', 'open'], 0]);
      assert.match(goal.reason, /aborted by cli: not wanted/);
      await assert.rejects(call('abort', { id }), { code: 'CONFLICT' });
    }));

  test('that somebody stopped stepping is taken back when its time is over', () =>
    withSpine(async ({ rig, call, until, memories }) => {
      const { id } = await call('submit', { goal: 'two', mode: 'step' });
      await call('step', { id });
      assert.equal(await memories(), 1);
      const db = new DatabaseSync(`${rig.stateDir('agentic_spine')}/store.sqlite`);
      db.prepare("UPDATE goal SET made = json_set(made, '$.deadlineMs', ?) WHERE id = ?").run(Date.now(), id);
      db.close();
      await rig.restart('agentic_spine');
      const goal = await until(id, 'compensated');
      assert.match(goal.reason, /^its time is over; taken back: remember/);
      assert.equal(await memories(), 0);
    }));
});

test('an abort that came in the middle of a step holds over a restart', () => {
  let write = (): unknown => new Promise(() => {});
  const step = {
    id: 'write',
    call: { kernel: 'diary', verb: 'write', input: { line: 'x' } },
    deadline: '10m',
    repeat: 'idempotent',
  };
  return withSpine(
    async ({ rig, call, until, memories }) => {
      const { id } = await call('submit', { goal: 'long' });
      await poll('the step', async () => ((await rig.call('diary', 'status')) as { lines: string[] }).lines.length > 0);
      const client = rig.bus('cli');
      const abort = client.request('kernel.agentic_spine.call.abort', { id }, { deadlineMs: 400 }).catch(() => {});
      await abort;
      write = () => ({});
      await rig.restart('agentic_spine');
      const goal = await until(id, 'aborted');
      assert.match(goal.reason, /^aborted by cli; taken back: remember/);
      assert.equal(await memories(), 0);
    },
    { plans: [plan({ id: 'long', steps: [remember(), step] })], others: [diary(() => write())] },
  );
});

describe('governance', () => {
  const NO_JOBS =
    '@id("no_jobs") forbid (principal, action == Action::"call_verb", resource == Verb::"scheduler.add");';
  const ASKED = `@id("jobs_need_a_person") forbid (principal, action == Action::"call_verb", resource == Verb::"scheduler.add")
    unless { context.approved };`;

  test('that forbids the first step leaves everything as it is: a submitter has no more rights than by itself', () =>
    withSpine(async ({ as, memories }) => {
      const goal = await as('librarian', 'submit', { goal: 'two', waitMs: 50_000 });
      assert.deepEqual([goal.state, states(goal), await memories()], ['failed', ['open', 'open'], 0]);
      assert.match(goal.reason, /^FORBIDDEN: governance forbids memory_fusion\.forget for librarian: .*by .*proposals/);
    }));

  test('that forbids a later step has the earlier ones taken back', () =>
    withSpine(
      async ({ call, memories, jobs }) => {
        const goal = await call('submit', { goal: 'two', waitMs: 50_000 });
        assert.deepEqual([goal.state, states(goal)], ['compensated', ['done, undo done', 'open']]);
        assert.match(goal.reason, /no_jobs/);
        assert.deepEqual([await memories(), await jobs()], [0, []]);
        const { steps, permitted } = await call<{ permitted: boolean; steps: { permission: { outcome: string } }[] }>(
          'plan',
          { goal: 'two' },
        );
        assert.deepEqual([permitted, steps.map(({ permission }) => permission.outcome)], [false, ['permit', 'forbid']]);
      },
      { policies: NO_JOBS },
    ));

  const pending = async ({ rig }: Bench): Promise<string> => {
    const [request] = (await rig.call('governance', 'approvals', { state: 'pending' })) as { id: string }[];
    return request!.id;
  };

  test('that wants an approval holds the goal, over a restart, until somebody has denied or approved, and asks once', () =>
    withSpine(
      async (bench) => {
        const { rig, as, until, jobs, memories } = bench;
        const requests = async (): Promise<number> =>
          ((await rig.call('governance', 'approvals', {})) as object[]).length;
        const denied = await as('trigger_mesh', 'submit', { goal: 'two', waitMs: 50_000 });
        assert.deepEqual(
          [denied.state, states(denied), denied.waiting?.for],
          ['waiting_approval', ['done', 'open'], 'approval'],
        );
        await rig.as!('cli', 'deny', { id: await pending(bench) });
        const ended = await until(denied.id, 'compensated');
        assert.match(ended.reason, /the request for scheduler\.add was denied/);
        assert.deepEqual([await requests(), await memories()], [1, 0]);

        const { id } = await as('trigger_mesh', 'submit', { goal: 'two', waitMs: 50_000 });
        await rig.restart('agentic_spine');
        const request = await pending(bench);
        assert.deepEqual([(await until(id, 'waiting_approval')).waiting?.approval, await jobs()], [request, []]);
        await rig.as!('cli', 'approve', { id: request });
        await until(id, 'done');
        assert.deepEqual([await jobs(), await requests()], [['later'], 2]);
      },
      { policies: ASKED },
    ));

  test('that cannot be asked is asked again later, and until then nothing is done', () =>
    withSpine(
      async ({ rig, call, until, memories, jobs }) => {
        const goal = await call('submit', { goal: 'two', waitMs: 50_000 });
        assert.deepEqual([goal.state, goal.waiting?.for, await memories()], ['waiting_approval', 'governance', 0]);
        assert.match(goal.reason, /^GOVERNANCE_UNREACHABLE: /);
        const answer = { id: 'dec-1', outcome: 'permit', policies: ['all'], reason: 'so' };
        await rig.bus('governance').subscribe('kernel.governance.call.*', (message) => message.reply(answer));
        await until(goal.id, 'done');
        assert.deepEqual(await jobs(), ['later']);
      },
      { governed: false },
    ));
});

test('kill -9 between two steps and within a step loses nothing, and does twice only what may be done twice', async (t) => {
  const fixture = fileURLToPath(new URL('../fixtures/acts-and-waits.ts', import.meta.url));
  // What it leaves lies in here, and goes with it.
  const scratch = mkdtempSync(join(tmpdir(), 'grace-spine-'));
  const env = { ...process.env, TMPDIR: scratch };
  const child = spawn(process.execPath, [fixture], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGKILL');
  await ended;
  const { home, goals } = JSON.parse(line.toString()) as { home: string; goals: Record<string, string> };
  const body = async ({ rig, call, until, jobs, memories }: Bench): Promise<void> => {
    const lines = async (of: string): Promise<string[]> => {
      const { lines: all } = (await rig.call('diary', 'status')) as { lines: string[] };
      return all.filter((one) => one.endsWith(of));
    };
    const done = async (way: string, goal: Shown): Promise<void> => {
      assert.deepEqual([goal.state, (await jobs()).includes(way)], ['done', true], goal.reason);
      assert.deepEqual(
        goal.steps.map(({ state }) => state).filter((state) => state !== 'done'),
        [],
      );
    };

    await t.test('between two steps: none is lost, none done twice', async () => {
      const id = goals['between']!;
      assert.deepEqual(
        [states(await call('goals', { id })), (await jobs()).includes('between')],
        [['done', 'open'], false],
      );
      await done('between', await call('step', { id }));
    });
    await t.test('within one that is idempotent: it is done again', async () => {
      const goal = await until(goals['idempotent']!, 'done');
      await done('idempotent', goal);
      assert.deepEqual([goal.steps[1]!.attempts, await lines('idempotent')], [2, ['idempotent', 'idempotent']]);
    });
    await t.test('within one that was done, as a look says: it is not done again', async () => {
      await done('verified', await until(goals['verified']!, 'done'));
      assert.deepEqual(await lines('verified'), ['verified']);
    });
    await t.test('within one of which nothing can be told: it is uncertain until somebody says', async () => {
      const id = goals['told']!;
      const { reason } = await until(id, 'uncertain');
      assert.match(reason, /whether step write \(diary\.write\) was done is not known/);
      await assert.rejects(call('step', { id }), { code: 'CONFLICT', message: /happened/ });
      await done('told', await call('step', { id, happened: true }));
      assert.deepEqual(await lines('told'), ['told']);
    });
    await t.test('within one of which nothing can be told: it can be taken back', async () => {
      const id = goals['aborted']!;
      await until(id, 'uncertain');
      const before = await memories();
      const goal = await call('abort', { id });
      assert.deepEqual([goal.state, await lines('aborted')], ['aborted', ['aborted', 'erased aborted']], goal.reason);
      assert.deepEqual([(await jobs()).includes('aborted'), await memories()], [false, before - 1]);
    });
  };
  try {
    await withSpine(body, { home, others: [diary()] });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
