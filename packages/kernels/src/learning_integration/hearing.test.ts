import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord, Incident } from '@grace/contracts';
import { defineKernel } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { counted, ID, outcome, remembers, supervisorOf, withLearning } from './fixtures/bench.ts';
import { journal } from './fixtures/records.ts';

describe('learning from the journal', () => {
  test('hears runs and incidents, and counts a run once that it is also told', () =>
    withLearning(async ({ rig, call, as, status }) => {
      await poll('it listens', async () => (await status()).hearing.listening);
      const { opened, ended, closed } = journal();
      const records = [
        opened('i1', 'kernel_hung', 'librarian'),
        ended('r1', 'replace', 'i1', 'healed'),
        ended('r2', 'replace', 'i1', 'dry run'),
        closed('i1'),
      ];
      for (const record of [...records, ...records]) await rig.feed(record);
      await as('self_healing', 'record', outcome(0, { key: 'r1', incident: 'i1' }));
      await poll('the run', async () => (await status()).outcomes.kept === 1);
      assert.deepEqual(counted(await call('statistics')), [['kernel_hung replace', 1]]);
    }));

  test('reads what was said while it was away, from the journal and from self_healing, each run once', async () => {
    const { opened, ended, closed } = journal();
    const records: AnyRecord[] = [opened('i1', 'kernel_hung', 'librarian'), ended('r1', 'replace', 'i1', 'healed')];
    const runs = [
      { run: 'r1', playbook: 'replace', incident: 'i1', outcome: 'healed' },
      { run: 'r2', playbook: 'wait', incident: 'i1', outcome: 'not healed' },
      // Its incident is in no journal any more; the supervisor knows it.
      { run: 'r3', playbook: 'wait', incident: 'i9', outcome: 'made worse' },
      { run: 'r4', playbook: 'wait', incident: '', outcome: 'healed' },
      { run: 'r5', playbook: 'wait', incident: 'i1', outcome: null },
    ].map((run) => ({ ...run, startedWall: Date.now(), startedMono: 5, endedMono: 9, detail: '' }));
    const incidents = [{ id: 'i9', kind: 'flooding' }] as Incident[];
    await withLearning(
      async ({ rig, call, status }) => {
        const expected: [string, number][] = [
          ['flooding wait', 1],
          ['kernel_hung replace', 1],
          ['kernel_hung wait', 1],
        ];
        await poll('all is read', async () => {
          assert.deepEqual(counted(await call('statistics')), expected);
          return true;
        });
        records.push(ended('r6', 'replace', 'i1', 'healed'), closed('i1'));
        await rig.restart(ID);
        await poll('what was missed', async () => {
          assert.deepEqual(counted(await call('statistics'))[1], ['kernel_hung replace', 2]);
          return (await status()).hearing.cursor === 4;
        });
        assert.deepEqual(counted(await call('statistics'))[0], expected[0]);
      },
      { commands: supervisorOf(records, incidents), others: [remembers(() => [...runs].reverse())] },
    );
  });

  test('goes on when a record says something else than was said before', () =>
    withLearning(async ({ rig, call, status }) => {
      await poll('it listens', async () => (await status()).hearing.listening);
      const { opened, ended } = journal();
      await rig.feed(opened('i1', 'kernel_hung', 'librarian'));
      await rig.feed(ended('r1', 'replace', 'i1', 'healed'));
      await rig.feed(ended('r1', 'replace', 'i1', 'made worse'));
      await rig.feed(ended('r2', 'replace', 'i1', 'healed'));
      await poll('the next run', async () => (await status()).outcomes.kept === 2);
      assert.deepEqual(counted(await call('statistics')), [['kernel_hung replace', 2]]);
      assert.ok(rig.logs.some(({ message }) => message === 'a record was not taken'));
    }));

  test('drafts what people repeat, tells of it, and puts nothing into force', async () => {
    const decisions: { what: string; key: string }[] = [];
    const clarity = defineKernel({
      id: 'clarity_framework',
      start: () => ({
        verbs: { record: (input: { what: string; key: string }) => void decisions.push(input) },
        probe: () => ({}),
      }),
    });
    await withLearning(
      async ({ rig, call, status }) => {
        await poll('it listens', async () => (await status()).hearing.listening);
        const { opened, closed, hand } = journal();
        for (let i = 0; i < 4; i++) {
          await rig.feed(opened(`i${i}`, 'kernel_hung', 'librarian'));
          await rig.feed(hand('restart', 'librarian'));
          await rig.feed(closed(`i${i}`));
        }
        await poll('a draft', async () => (await status()).drafts === 1);
        const { drafts } = await call<{ drafts: { id: string; times: number; playbook: boolean }[] }>('drafts');
        const [draft] = await poll('all four times', async () => {
          const now = await call<{ drafts: { id: string; times: number; playbook: boolean }[] }>('drafts');
          return now.drafts[0]!.times === 4 ? now.drafts : undefined;
        });
        assert.equal(draft!.playbook, true);
        const { yaml } = await call<{ yaml: string }>('drafts', { id: draft!.id });
        assert.match(yaml, /^trigger: \[kernel_hung\]$/m);
        await assert.rejects(call('drafts', { id: `${draft!.id}x` }), new RegExp(`did you mean "${drafts[0]!.id}"`));
        await rig.restart(ID);
        assert.equal((await status()).drafts, 1);
        await poll('it is told', () => decisions.length > 0);
        // It may be said again when an answer was lost; the key says that it is the same.
        assert.deepEqual([...new Set(decisions.map(({ key }) => key))], [draft!.id]);
      },
      { others: [clarity] },
    );
  });

  test('of a quiet system learns nothing, drafts nothing and says nothing', async () => {
    const { write } = journal();
    const records = [
      write('system:ready', { ready: 1, total: 1, ms: 5, failed: [] }),
      write('kernel:hand', { order: 'restart', by: 'cli', reason: 'by hand' }, { kernel: 'librarian' }),
    ];
    await withLearning(
      async ({ rig, call, status }) => {
        await poll('it has caught up', async () => (await status()).hearing.caughtUp);
        assert.deepEqual(await call('drafts'), { drafts: [] });
        const { outcomes, choices, decisionsUntold } = await status();
        assert.deepEqual([outcomes, choices, decisionsUntold], [{ kept: 0, waiting: 0 }, { kept: 0, explored: 0 }, 0]);
        assert.deepEqual(rig.reports, []);
        assert.deepEqual(
          rig.logs.filter(({ kernel: id, level }) => id === ID && level !== 'debug'),
          [],
        );
      },
      { commands: supervisorOf(records), others: [remembers(() => [])] },
    );
  });
});
