import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { defineKernel } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { ended, history, product, scratch, waiting, withHealer, written } from './fixtures/healer-rig.ts';
import selfHealing from './kernel.ts';

describe('self_healing', () => {
  test('an incident whose event was missed is found and healed', async () => {
    await withHealer([product('kernel_heartbeat_gap')], async (rig, system) => {
      system.open({ id: 'missed', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
      assert.equal((await ended(rig, 'missed')).outcome, 'healed');
    });
  });

  test('an incident that stays open is taken up once it has healed no second time', async () => {
    await withHealer([product('kernel_heartbeat_gap')], async (rig, system) => {
      system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
      await ended(rig, 'i1');
      const { reconciliation } = (await rig.call('self_healing', 'status', {})) as {
        reconciliation: { rounds: number };
      };
      await poll('several more looks', async () => {
        const now = (await rig.call('self_healing', 'status', {})) as { reconciliation: { rounds: number } };
        return now.reconciliation.rounds > reconciliation.rounds + 10;
      });
      assert.equal((await history(rig)).length, 1);
    });
  });

  test('a budget that is used up refuses, and says so once per incident', async () => {
    await withHealer([waiting('waits', '50ms')], async (rig, system) => {
      system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian' });
      const outcomes = await poll('a refusal', async () => {
        const found = (await history(rig)).map(({ outcome }) => outcome);
        return found.includes('refused') ? found : undefined;
      });
      assert.deepEqual(outcomes, ['refused', 'not healed']);
      const rounds = system.asked.length;
      await poll('several more looks', () => system.asked.length > rounds + 20);
      assert.equal((await history(rig)).length, 2);
    });
  });

  test('one run at a time per target: a second is refused by hand', async () => {
    await withHealer([waiting('waits', '1m')], async (rig) => {
      const asked = { playbook: 'waits', target: 'librarian' };
      const first = (await rig.call('self_healing', 'run', asked, 300)) as { outcome: string | null };
      assert.equal(first.outcome, null, 'it is still running when the caller can wait no longer');
      const second = (await rig.call('self_healing', 'run', asked)) as { outcome: string; detail: string };
      assert.equal(second.outcome, 'refused');
      assert.match(second.detail, /waits is running on librarian/);
    });
  });

  test('a run that was asked to end is closed as not healed', async () => {
    await withHealer([waiting('waits', '1m')], async (rig) => {
      await rig.call('self_healing', 'run', { playbook: 'waits', target: 'librarian' }, 300);
      await rig.restart('self_healing');
      const [run] = await history(rig);
      assert.equal(run?.outcome, 'not healed');
      assert.match(run!.detail, /interrupted/);
    });
  });

  test('a run that was cut off without a word is closed as not healed at the next start', async () => {
    await withHealer([waiting('waits', '50ms')], async (rig) => {
      await rig.call('self_healing', 'run', { playbook: 'waits', target: 'librarian' });
      // The journal as `kill -9` in the middle of a run leaves it.
      const db = new DatabaseSync(join(rig.stateDir('self_healing'), 'store.sqlite'));
      db.exec("UPDATE runs SET outcome = NULL, ended_mono = NULL, detail = ''");
      db.close();
      const told = rig.reports.length;
      await rig.restart('self_healing');
      const [run] = await history(rig);
      assert.equal(run?.outcome, 'not healed');
      assert.match(run.detail, /interrupted/);
      const [report] = rig.reports.slice(told);
      assert.equal(report?.event.name, 'playbook:end');
      assert.deepEqual(report.event.data, {
        run: run.run,
        playbook: 'waits',
        incident: '',
        outcome: 'not healed',
        ms: 0,
        detail: run.detail,
      });
    });
  });

  test('a dry run says what it would do and does nothing', async () => {
    await withHealer([product('kernel_heartbeat_gap')], async (rig, system) => {
      const plan = (await rig.call('self_healing', 'dryRun', {
        playbook: 'kernel_heartbeat_gap',
        target: 'librarian',
      })) as {
        outcome: string;
        steps: { step: string; would: boolean | null; action: unknown }[];
      };
      assert.equal(plan.outcome, 'dry run');
      assert.deepEqual(
        plan.steps.map(({ step, would }) => [step, would]),
        [
          ['vouch', true],
          ['log_activity', true],
          ['replace', null],
        ],
      );
      assert.deepEqual(plan.steps[0]?.action, { kind: 'probe', kernel: 'librarian' });
      assert.deepEqual(
        system.asked.filter(({ command }) => command !== 'status' && command !== 'incident'),
        [],
      );
    });
  });

  test('a diagnosis names the playbook that fits, and why others do not', async () => {
    await withHealer([product('kernel_heartbeat_gap'), product('cpu_saturation')], async (rig, system) => {
      system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'nobody' });
      const found = (await rig.call('self_healing', 'diagnose', { incident: 'i1' })) as {
        playbook: string | null;
        playbooks: { playbook: string; triggered: boolean; conditions: { truth: unknown }[] }[];
      };
      assert.equal(found.playbook, null);
      assert.deepEqual(
        found.playbooks.map((one) => [one.playbook, one.triggered, one.conditions.map(({ truth }) => truth)]),
        [
          ['cpu_saturation', false, []],
          ['kernel_heartbeat_gap', true, [false]],
        ],
      );
      await assert.rejects(rig.call('self_healing', 'diagnose', { incident: 'none' }), { code: 'UNKNOWN_INCIDENT' });
    });
  });

  test('a playbook that is not valid takes no other with it, and is named', async () => {
    const bad = written('bad.yaml', 'id: bad\ntitle: Bad\n');
    await withHealer([bad, product('cpu_saturation'), join(scratch, 'gone.yaml')], async (rig) => {
      const status = (await rig.call('self_healing', 'status', {})) as {
        playbooks: string[];
        invalid: { file: string; error: string }[];
      };
      assert.deepEqual(status.playbooks, ['cpu_saturation']);
      assert.deepEqual(
        status.invalid.map(({ file }) => file),
        [bad, join(scratch, 'gone.yaml')],
      );
      assert.match(status.invalid[0]!.error, /bad\.yaml:1:1: trigger/);
    });
  });

  test('without configured playbooks it says that there are none', async () => {
    await withHealer(undefined, async (rig) => {
      const status = (await rig.call('self_healing', 'status', {})) as { source: string };
      assert.equal(status.source, 'no playbooks are configured');
    });
  });

  test('a playbook cannot make it restart itself', async () => {
    const file = written(
      'suicide.yaml',
      `id: suicide
title: Restarts the healer
trigger: []
guards: { budget: 1, window: 1m, cool_down: 0 }
steps: [{ id: go, action: { restart: { kernel: self_healing, reason: none } }, deadline: 1s }]
post_condition: { all: [{ fact: run.target, exists: true }], hold: 0, within: 1s }
`,
    );
    await withHealer([file], async (rig, system) => {
      const end = (await rig.call('self_healing', 'run', { playbook: 'suicide', target: 'self_healing' })) as {
        outcome: string;
        detail: string;
      };
      assert.equal(end.outcome, 'not healed');
      assert.match(end.detail, /does not restart itself/);
      assert.deepEqual(system.restarts(), []);
    });
  });

  test('bad input is refused with the nearest name', async () => {
    await withHealer([product('cpu_saturation')], async (rig) => {
      const call = (verb: string, input: unknown): Promise<unknown> => rig.call('self_healing', verb, input);
      await assert.rejects(call('run', { playbook: 'cpu_saturations', target: 't' }), /did you mean "cpu_saturation"/);
      await assert.rejects(call('run', { playbook: 'cpu_saturation' }), { code: 'BAD_INPUT' });
      await assert.rejects(call('history', { limits: 1 }), /did you mean "limit"/);
    });
  });
});

describe('the functional probe of self_healing', () => {
  test('heals what can be healed and refutes what cannot', async () => {
    await withHealer([product('cpu_saturation')], async (rig) => {
      const { steps, playbooks } = await rig.probe('self_healing');
      assert.deepEqual({ steps, playbooks }, { steps: 1, playbooks: 1 });
      assert.deepEqual(await history(rig), [], 'it leaves no run behind');
    });
  });

  test('fails when the store keeps nothing', async () => {
    const broken = defineKernel({
      ...selfHealing,
      start: (ctx) => selfHealing.start({ ...ctx, store: withStore(ctx.store, { set: () => {} }) }),
    });
    await withHealer([], (rig) => assert.rejects(rig.probe('self_healing'), /ended as "not healed"/), broken);
  });

  test('fails when a playbook that did nothing is called healed', async () => {
    let first: unknown;
    const stale = {
      set: (_: string, value: unknown) => {
        first ??= value;
      },
      get: () => first,
    };
    const broken = defineKernel({
      ...selfHealing,
      start: (ctx) => selfHealing.start({ ...ctx, store: withStore(ctx.store, stale) }),
    });
    await withHealer(
      [],
      (rig) => assert.rejects(rig.probe('self_healing'), /does not do its work ended as "healed"/),
      broken,
    );
  });
});

function withStore<T extends object>(store: T, given: object): T {
  return new Proxy(store, {
    get: (target, name) => (name in given ? given[name as never] : Reflect.get(target, name)),
  });
}
