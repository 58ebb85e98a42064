import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type KernelRig, poll } from '@grace/testkit';
import { ended, looked, opened, product, withHealer } from './fixtures/healer-rig.ts';

describe('kernel_heartbeat_gap', { concurrency: true }, () => {
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

describe('cpu_saturation', { concurrency: true }, () => {
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

describe('message_bus_acl_violation_fix', { concurrency: true }, () => {
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

  test('a principal that is let loose before the time is over is not called healed', async () => {
    await withHealer([product('message_bus_acl_violation_fix')], async (rig, system) => {
      await serveBus(rig);
      await looked(rig);
      await flood(rig);
      await rig.feed(opened(system.open({ id: 'i1', kind: 'acl_violation', subject: 'chaos_test' })));
      await poll('the bus was seen to do its job', () => system.asked.some(({ command }) => command === 'probe'));
      rig.broker.unmute('chaos_test');
      const run = await ended(rig, 'i1');
      assert.equal(run.outcome, 'not healed');
      assert.match(run.detail, /principal\.muted/);
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

const OPEN = { publish: { allow: ['>'], deny: [] }, subscribe: { allow: ['>'], deny: [] } };
const NONE = { allow: [], deny: ['>'] };
