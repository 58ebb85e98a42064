import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type AnyRecord,
  type Condition,
  type EventMap,
  type Incident,
  type JournalRecord,
  type SupervisorCommand,
  systemClock,
} from '@grace/contracts';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, poll, type RigOptions, rigKernels } from '@grace/testkit';
import type { RunRecord } from './journal.ts';
import selfHealing from './kernel.ts';

const FOLDER = fileURLToPath(new URL('../../../../configs/playbooks/', import.meta.url));
const product = (id: string): string => join(FOLDER, `${id}.yaml`);
const scratch = mkdtempSync(join(tmpdir(), 'grace-playbooks-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function written(name: string, text: string): string {
  const file = join(scratch, name);
  writeFileSync(file, text);
  return file;
}

/** A playbook for heartbeat gaps whose one step waits for what never comes, `deadline` long. */
const waiting = (id: string, deadline: string, guards = '{ budget: 1, window: 1h, cool_down: 0 }'): string =>
  written(
    `${id}.yaml`,
    `id: ${id}
title: Waits
trigger: [heartbeat_gap]
guards: ${guards}
steps:
  - { id: wait, action: { wait_until: [{ fact: target.restarts, above: 99 }] }, deadline: ${deadline} }
post_condition: { all: [{ fact: target.known, is: true }], hold: 0, within: 1s }
`,
  );

/** What a supervisor knows and does, as data that a test changes. */
function fakeSupervisor() {
  const kernel = (id: string, cell: string) => ({
    id,
    title: id,
    state: 'running',
    cell,
    incarnation: 1,
    restarts: 0,
    heartbeatAgeMs: 20 as number | null,
    condition: 'healthy' as Condition,
    quarantined: false,
    logs: 5,
  });
  const system = {
    kernels: [kernel('librarian', 'work'), kernel('sandbox', 'work'), kernel('governance', 'core')],
    incidents: [] as Incident[],
    asked: [] as { command: SupervisorCommand; input: Record<string, unknown> }[],
    probes: (_kernel: string): boolean => true,
    replace(id: string): void {
      const found = system.kernels.find((one) => one.id === id)!;
      Object.assign(found, {
        incarnation: found.incarnation + 1,
        restarts: found.restarts + 1,
        heartbeatAgeMs: 20,
        condition: 'healthy',
      });
    },
    open(given: Partial<Incident> & Pick<Incident, 'id' | 'kind' | 'subject'>): Incident {
      const times = { openedMono: systemClock.monoMs(), openedWall: Date.now() };
      const incident: Incident = {
        title: 't',
        severity: 'low',
        escalated: false,
        detectors: [],
        events: [],
        ...times,
        ...given,
      };
      system.incidents.push(incident);
      return incident;
    },
    restarts: (): unknown[] =>
      system.asked.filter(({ command }) => command === 'restart').map(({ input }) => input['kernel']),
    commands(_: string, command: SupervisorCommand, given: unknown): unknown {
      const input = given as Record<string, unknown>;
      system.asked.push({ command, input });
      if (command === 'status') {
        const cells = [...new Set(system.kernels.map(({ cell }) => cell))].map((id) => ({ id }));
        return structuredClone({ system: { state: 'running', ready: 3, total: 3 }, cells, kernels: system.kernels });
      }
      if (command === 'incident') return structuredClone(system.incidents);
      if (command === 'probe') return { ok: system.probes(String(input['kernel'])), ms: 1, detail: {} };
      if (command === 'restart') return void system.replace(String(input['kernel']));
      throw new Error(`not expected: ${command}`);
    },
  };
  return system;
}

type Fake = ReturnType<typeof fakeSupervisor>;

/** Hosts self_healing, as fast as can be: `files` are its playbooks. */
async function withHealer(
  files: string[] | undefined,
  body: (rig: KernelRig, system: Fake) => Promise<void>,
  definition: KernelDefinition = selfHealing,
  prepare: (system: Fake) => void = () => {},
): Promise<void> {
  const system = fakeSupervisor();
  prepare(system);
  const options: RigOptions = {
    config: { self_healing: { ...(files ? { playbooks: files } : {}), reconcileMs: 100 } },
    commands: system.commands,
  };
  const rig = await rigKernels([definition], options);
  try {
    await body(rig, system);
  } finally {
    await rig.close();
  }
}

const history = async (rig: KernelRig): Promise<RunRecord[]> =>
  (await rig.call('self_healing', 'history', {})) as RunRecord[];

async function ended(rig: KernelRig, incident: string): Promise<RunRecord> {
  return poll(`a run for ${incident} ends`, async () =>
    (await history(rig)).find((run) => run.incident === incident && run.outcome !== null),
  );
}

const looked = (rig: KernelRig): Promise<unknown> =>
  poll('a first look', async () => {
    const { reconciliation } = (await rig.call('self_healing', 'status', {})) as {
      reconciliation: { lastOkMono: number | null; listening: boolean };
    };
    return reconciliation.lastOkMono !== null && reconciliation.listening;
  });

describe('kernel_heartbeat_gap', () => {
  test('a kernel that still does its job is left alone, and the run heals when its heartbeat is back', async () => {
    await withHealer([product('kernel_heartbeat_gap')], async (rig, system) => {
      await looked(rig);
      const [librarian] = system.kernels;
      Object.assign(librarian!, { heartbeatAgeMs: 900, condition: 'silent', logs: 9 });
      const incident = system.open({
        id: 'i1',
        kind: 'heartbeat_gap',
        subject: 'librarian',
        incarnation: 1,
        correlation: 'c1',
      });
      await rig.feed(opened(incident));
      await poll('the kernel was probed', () => system.asked.some(({ command }) => command === 'probe'));
      librarian!.heartbeatAgeMs = 30;
      const run = await ended(rig, 'i1');
      assert.equal(run.outcome, 'healed');
      assert.deepEqual(system.restarts(), []);
      const names = rig.reports.map(({ event }) => event.name);
      assert.deepEqual([names[0], names.at(-1)], ['playbook:start', 'playbook:end']);
      assert.ok(rig.reports.every(({ event }) => event.correlation === 'c1'));
      const steps = rig.reports.flatMap(({ event }) =>
        event.name === 'playbook:step' ? [[event.data.step, event.data.ok]] : [],
      );
      assert.deepEqual(steps, [
        ['vouch', true],
        ['log_activity', true],
        ['replace', true],
      ]);
    });
  });

  test('a kernel that fails its probe twice is restarted, once', async () => {
    await withHealer([product('kernel_heartbeat_gap')], async (rig, system) => {
      await looked(rig);
      Object.assign(system.kernels[0]!, { heartbeatAgeMs: 900, condition: 'silent' });
      system.probes = () => false;
      await rig.feed(opened(system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 })));
      const run = await ended(rig, 'i1');
      assert.equal(run.outcome, 'healed', run.detail);
      assert.deepEqual(system.restarts(), ['librarian']);
      assert.equal(system.asked.filter(({ command }) => command === 'probe').length, 2);
    });
  });

  test('a starved kernel is never restarted, though its probe fails', async () => {
    await withHealer([product('kernel_heartbeat_gap')], async (rig, system) => {
      Object.assign(system.kernels[0]!, { heartbeatAgeMs: 900, condition: 'starved' });
      system.probes = () => false;
      system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
      await poll('the step was decided', () =>
        rig.reports.some(({ event }) => event.name === 'playbook:step' && event.data.step === 'replace'),
      );
      assert.deepEqual(system.restarts(), []);
    });
  });

  test('a kernel that was replaced meanwhile is not restarted again', async () => {
    await withHealer([product('kernel_heartbeat_gap')], async (rig, system) => {
      Object.assign(system.kernels[0]!, { heartbeatAgeMs: 900, condition: 'silent' });
      let probes = 0;
      system.probes = () => {
        if (++probes === 2) system.replace('librarian');
        return false;
      };
      system.open({ id: 'i1', kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 });
      assert.equal((await ended(rig, 'i1')).outcome, 'healed');
      assert.deepEqual(system.restarts(), []);
    });
  });
});

describe('cpu_saturation', () => {
  test('a kernel that hung and was replaced alone is confirmed', async () => {
    await withHealer([product('cpu_saturation')], async (rig, system) => {
      await looked(rig);
      const incident = system.open({ id: 'i1', kind: 'kernel_hung', subject: 'librarian', incarnation: 1 });
      system.replace('librarian');
      await rig.feed(opened(incident));
      const run = await ended(rig, 'i1');
      assert.equal(run.outcome, 'healed', run.detail);
      const probed = system.asked.flatMap(({ command, input }) => (command === 'probe' ? [input['kernel']] : []));
      assert.deepEqual(probed, ['librarian', 'sandbox'], 'the culprit and its cell-mate');
    });
  });

  test('when a neighbour was restarted without a reason of its own, things were made worse', async () => {
    await withHealer([product('cpu_saturation')], async (rig, system) => {
      await looked(rig);
      const incident = system.open({ id: 'i1', kind: 'kernel_hung', subject: 'librarian', incarnation: 1 });
      system.replace('librarian');
      system.replace('governance');
      await rig.feed(opened(incident));
      assert.equal((await ended(rig, 'i1')).outcome, 'made worse');
    });
  });

  test('a neighbour that fell for a reason of its own is not held against it', async () => {
    await withHealer([product('cpu_saturation')], async (rig, system) => {
      await looked(rig);
      const incident = system.open({ id: 'i1', kind: 'kernel_hung', subject: 'librarian', incarnation: 1 });
      system.open({ id: 'i2', kind: 'kernel_crash', subject: 'governance' });
      system.replace('librarian');
      system.replace('governance');
      await rig.feed(opened(incident));
      assert.equal((await ended(rig, 'i1')).outcome, 'healed');
    });
  });

  test('when the machine is full from outside nobody is restarted, and that is recorded', async () => {
    await withHealer([product('cpu_saturation')], async (rig, system) => {
      await looked(rig);
      system.probes = () => false;
      await rig.feed(opened(system.open({ id: 'i1', kind: 'cpu_saturation', subject: 'machine' })));
      const run = await ended(rig, 'i1');
      assert.equal(run.outcome, 'healed', run.detail);
      assert.deepEqual(system.restarts(), []);
      assert.equal(run.steps.find(({ step }) => step === 'neighbours_do_their_job')?.ok, false);
    });
  });
});

describe('message_bus_acl_violation_fix', () => {
  /** Answers the verbs of message_bus from the rig's own broker. */
  async function serveBus(rig: KernelRig, muteWorks = true): Promise<void> {
    await rig.bus('message_bus').subscribe('kernel.message_bus.call.*', (message) => {
      const { principal, periodMs } = message.payload as { principal: string; periodMs: number };
      if (message.subject.endsWith('.mute') && muteWorks) rig.broker.mute(principal, periodMs);
      message.reply(message.subject.endsWith('.stats') ? rig.broker.statistics() : {});
    });
  }

  async function flood(rig: KernelRig): Promise<void> {
    rig.broker.setAcl({ kernels: OPEN, principals: { chaos_test: { publish: NONE, subscribe: NONE } } });
    const spammer = rig.bus('chaos_test');
    await assert.rejects(spammer.publish('system.control', {}), { code: 'BUS_DENIED' });
  }

  test('a principal that is not muted yet is muted, and stays so', async () => {
    await withHealer([product('message_bus_acl_violation_fix')], async (rig, system) => {
      await serveBus(rig);
      await looked(rig);
      await flood(rig);
      await rig.feed(opened(system.open({ id: 'i1', kind: 'acl_violation', subject: 'chaos_test' })));
      const run = await ended(rig, 'i1');
      assert.equal(run.outcome, 'healed', run.detail);
      assert.deepEqual(
        rig.broker.statistics().muted.map(({ principal }) => principal),
        ['chaos_test'],
      );
      await assert.rejects(rig.bus('chaos_test').publish('system.control', {}), { code: 'BUS_MUTED' });
    });
  });

  test('a longer mute of the bus is not shortened', async () => {
    await withHealer([product('message_bus_acl_violation_fix')], async (rig, system) => {
      await serveBus(rig);
      await looked(rig);
      await flood(rig);
      rig.broker.mute('chaos_test', 60_000);
      const [before] = rig.broker.statistics().muted;
      await rig.feed(opened(system.open({ id: 'i1', kind: 'acl_violation', subject: 'chaos_test' })));
      assert.equal((await ended(rig, 'i1')).outcome, 'healed');
      assert.equal(rig.broker.statistics().muted[0]?.untilMono, before?.untilMono);
    });
  });

  test('a mute that says it worked and did not is found out', async () => {
    await withHealer([product('message_bus_acl_violation_fix')], async (rig, system) => {
      await serveBus(rig, false);
      await looked(rig);
      await flood(rig);
      await rig.feed(opened(system.open({ id: 'i1', kind: 'acl_violation', subject: 'chaos_test' })));
      assert.equal((await ended(rig, 'i1')).outcome, 'not healed');
    });
  });
});

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
    const dying = defineKernel({
      ...selfHealing,
      start: (ctx) => selfHealing.start(ctx.incarnation === 1 ? { ...ctx, signal: new AbortController().signal } : ctx),
    });
    await withHealer(
      [waiting('waits', '2s')],
      async (rig) => {
        await rig.call('self_healing', 'run', { playbook: 'waits', target: 'librarian' }, 300);
        // The journal as `kill -9` leaves it.
        const { DatabaseSync } = await import('node:sqlite');
        const db = new DatabaseSync(join(rig.stateDir('self_healing'), 'store.sqlite'));
        const [row] = db.prepare('SELECT outcome FROM runs').all();
        db.close();
        assert.equal(row?.['outcome'], null);
        await rig.restart('self_healing');
        const [run] = await history(rig);
        assert.equal(run?.outcome, 'not healed');
      },
      dying,
    );
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
    await withHealer([], async (rig) => {
      assert.equal((await rig.probe('self_healing'))['steps'], 1);
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

  test('fails when whatever is asked for seems to be there', async () => {
    let written: unknown = 'none';
    const store = {
      set: (_: string, value: unknown) => {
        written = value;
      },
      get: <T>(): T => ({ valueOf: () => written }) as T,
    };
    const broken = defineKernel({
      ...selfHealing,
      start: (ctx) => selfHealing.start({ ...ctx, store: withStore(ctx.store, store) }),
    });
    await withHealer([], (rig) => assert.rejects(rig.probe('self_healing')), broken);
  });
});

const OPEN = { publish: { allow: ['>'], deny: [] }, subscribe: { allow: ['>'], deny: [] } };
const NONE = { allow: [], deny: ['>'] };

function withStore<T extends object>(store: T, given: object): T {
  return new Proxy(store, {
    get: (target, name) => (name in given ? given[name as never] : Reflect.get(target, name)),
  });
}

function opened({ events: _, detectors: __, ...incident }: Incident): AnyRecord {
  const data: EventMap['incident:open'] = { incident };
  const record: JournalRecord<'incident:open'> = { seq: 1, name: 'incident:open', wallMs: 0, monoMs: 0, data };
  return record;
}
