import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, poll } from '@grace/testkit';
import { ended, history, waiting, withHealer, written } from '../self_healing/fixtures/healer-rig.ts';
import { ID } from './fixtures/bench.ts';
import learning from './kernel.ts';

const GUARDS = '{ budget: 1000, window: 1h, cool_down: 0 }';
/** First in the order of ids, and what it waits for never comes. */
const FAILS = waiting('a_waits', '20ms', GUARDS);
const HEALS = written(
  'b_restarts.yaml',
  `id: b_restarts
title: Restarts
trigger: [heartbeat_gap]
guards: ${GUARDS}
steps:
  - { id: replace, action: { restart: { kernel: "\${target.id}", reason: test } }, deadline: 1s }
post_condition: { all: [{ fact: target.incarnation, above: "\${before.target.incarnation}" }], hold: 0, within: 1s }
`,
);

const playbooksOf = async (rig: KernelRig, incident: string): Promise<string[]> =>
  (await history(rig)).filter((run) => run.incident === incident).map(({ playbook }) => playbook);

type Fake = Parameters<Parameters<typeof withHealer>[1]>[1];
const withAdvice = (
  files: string[],
  body: (rig: KernelRig, system: Fake) => Promise<void>,
  advice: KernelDefinition[],
) => withHealer(files, body, undefined, undefined, undefined, advice);

const adviser = (choose: () => unknown): KernelDefinition =>
  defineKernel({ id: ID, start: () => ({ verbs: { choose, record: () => ({}) }, probe: () => ({}) }) });

describe('self_healing with experience', () => {
  test('comes to try first what heals, though the other stands first', () =>
    withAdvice(
      [FAILS, HEALS],
      async (rig, system) => {
        const open = (id: string) => system.open({ id, kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
        const call = async <T>(verb: string, input: unknown): Promise<T> => (await rig.call(ID, verb, input)) as T;
        const close = (id: string): void => {
          system.incidents.find((one) => one.id === id)!.closedMono = 1;
        };
        /** The playbook that was run first, when the incident has been healed. */
        const firstOf = async (id: string): Promise<string> => {
          open(id);
          await poll(`${id} is healed`, async () =>
            (await history(rig)).some((run) => run.incident === id && run.outcome === 'healed'),
          );
          close(id);
          return (await playbooksOf(rig, id)).at(-1)!;
        };
        await firstOf('i0');
        // Somebody insists: it fails, for real, each time.
        for (let n = 0; n < 5; n++) {
          const run = await rig.call('self_healing', 'run', { playbook: 'a_waits', incident: 'i0' });
          assert.equal((run as { outcome: string }).outcome, 'not healed');
        }
        await firstOf('i1');
        const first: string[] = [];
        for (let n = 2; n < 8; n++) first.push(await firstOf(`i${n}`));
        assert.ok(first.filter((playbook) => playbook === 'b_restarts').length >= 4, first.join(', '));

        const candidates = ['a_waits', 'b_restarts'];
        const picks: string[] = [];
        for (let seed = 0; seed < 40; seed++) {
          const asked = { signature: 'heartbeat_gap', candidates, seed };
          picks.push((await call<{ playbook: string }>('choose', asked)).playbook);
        }
        assert.ok(picks.filter((playbook) => playbook === 'b_restarts').length >= 38, picks.join(', '));

        // The journal tells of the same runs: none is counted twice.
        const runs = (await history(rig)).length;
        const before = await poll('what was told last', async () => {
          const now = await call<{ outcomes: { kept: number } }>('status', {});
          return now.outcomes.kept === runs ? now : undefined;
        });
        for (const [i, { event }] of rig.reports.entries())
          if (event.name === 'playbook:end')
            await rig.feed({ ...event, seq: i + 1, wallMs: Date.now(), monoMs: i } as AnyRecord);
        const feed = { id: 'last', kind: 'kernel_hung', subject: 'x', title: 't', severity: 'low', openedMono: 1 };
        await rig.feed({
          ...{ name: 'incident:open', seq: 9999, wallMs: Date.now(), monoMs: 9999 },
          data: { incident: { ...feed, escalated: false } },
        } as AnyRecord);
        await poll('all is heard', async () => {
          const { hearing } = await call<{ hearing: { waiting: number; listening: boolean } }>('status', {});
          return hearing.listening && hearing.waiting === 0;
        });
        assert.deepEqual((await call<{ outcomes: unknown }>('status', {})).outcomes, before.outcomes);
      },
      [learning],
    ));

  test('asks nobody where one playbook could serve, and tells how it ended', () =>
    withAdvice(
      [HEALS],
      async (rig, system) => {
        system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
        assert.equal((await ended(rig, 'i1')).outcome, 'healed');
        const status = await poll('the outcome', async () => {
          const now = (await rig.call(ID, 'status')) as { outcomes: { kept: number }; choices: { kept: number } };
          return now.outcomes.kept === 1 ? now : undefined;
        });
        assert.equal(status.choices.kept, 0);
      },
      [learning],
    ));
});

describe('self_healing without advice', () => {
  test('does not ask for any where there is one playbook', async () => {
    let asked = 0;
    const count = adviser(() => {
      asked++;
      return { playbook: 'b_restarts', why: 'x' };
    });
    await withAdvice(
      [HEALS],
      async (rig, system) => {
        system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
        assert.equal((await ended(rig, 'i1')).outcome, 'healed');
        assert.equal(asked, 0);
      },
      [count],
    );
  });

  for (const [name, advice] of Object.entries({
    'as nobody is there': [],
    'as it fails': [
      adviser(() => {
        throw new Error('broken');
      }),
    ],
    'as it never comes': [adviser(() => new Promise(() => {}))],
    'as it makes no sense': [adviser(() => ({ playbook: 'c_unheard_of', why: 'x' }))],
    'as it is nothing': [adviser(() => null)],
  }))
    test(`tries playbooks in the order of their ids, ${name}`, () =>
      withAdvice(
        [HEALS, FAILS],
        async (rig, system) => {
          system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
          await ended(rig, 'i1');
          assert.equal((await playbooksOf(rig, 'i1')).at(-1), 'a_waits');
        },
        advice,
      ));

  test('takes the advised one first, and still the other when governance refuses it', async () => {
    const forbids = defineKernel({
      id: 'governance',
      start: () => ({
        verbs: {
          request: ({ resource }: { resource: string }) => ({
            ...{ id: 'dec-1', policies: ['p'], reason: 'said so' },
            outcome: resource === 'b_restarts' ? 'forbid' : 'permit',
          }),
        },
        probe: () => ({}),
      }),
    });
    await withHealer(
      [FAILS, HEALS],
      async (rig, system) => {
        system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
        const runs = await poll('both', async () => {
          const found = (await history(rig)).filter(({ outcome }) => outcome !== null);
          return found.length >= 2 ? found.reverse() : undefined;
        });
        assert.deepEqual(
          runs.slice(0, 2).map(({ playbook, outcome }) => [playbook, outcome]),
          [
            ['b_restarts', 'refused'],
            ['a_waits', 'not healed'],
          ],
        );
      },
      undefined,
      undefined,
      forbids,
      [adviser(() => ({ playbook: 'b_restarts', why: 'it heals' }))],
    );
  });
});
