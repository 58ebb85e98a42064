import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import governance from '../../governance/kernel.ts';
import { ended, history, product, withHealer, written } from '../fixtures/healer-rig.ts';
import selfHealing from '../kernel.ts';

const PRODUCT = fileURLToPath(new URL('../../../../../configs/policies/', import.meta.url));
const own = mkdtempSync(join(tmpdir(), 'grace-policies-'));
after(() => rmSync(own, { recursive: true, force: true }));

/** The real one, over the policies of the product and one more. */
function governed(policy: string): KernelDefinition {
  writeFileSync(join(own, 'mine.cedar'), policy);
  return defineKernel({
    id: 'governance',
    start: (ctx) => governance.start({ ...ctx, config: { folders: [PRODUCT, own] } }),
  });
}
/** One that is there and does not decide. */
const undecided = (request: () => unknown): KernelDefinition =>
  defineKernel({ id: 'governance', start: () => ({ verbs: { request }, probe: () => ({}) }) });
const silent = undecided(() => {
  throw new Error('out of order');
});
const gap = { kind: 'heartbeat_gap', subject: 'librarian', incarnation: 1 } as const;

describe('a playbook asks governance first', () => {
  test('and runs when it permits', () =>
    withHealer(
      [product('kernel_heartbeat_gap')],
      async (rig, system) => {
        system.open({ id: 'i1', ...gap });
        assert.equal((await ended(rig, 'i1')).outcome, 'healed');
      },
      selfHealing,
      () => {},
      governed(''),
    ));

  test('and does nothing when it forbids, which is said once per incident', () =>
    withHealer(
      [product('kernel_heartbeat_gap')],
      async (rig, system) => {
        system.open({ id: 'i1', ...gap });
        const run = await ended(rig, 'i1');
        assert.equal(run.outcome, 'refused');
        assert.match(run.detail, /^FORBIDDEN: forbidden by hands_off; decision dec-/);
        const byHand = (await rig.call('self_healing', 'run', {
          playbook: 'kernel_heartbeat_gap',
          target: 'sandbox',
        })) as { outcome: string };
        assert.equal(byHand.outcome, 'refused');
        const looks = system.asked.length;
        await poll('several more looks', () => system.asked.length > looks + 20);
        assert.deepEqual([(await history(rig)).length, system.restarts()], [2, []]);
        assert.equal(
          system.asked.some(({ command }) => command === 'probe'),
          false,
        );
      },
      selfHealing,
      () => {},
      governed(
        '@id("hands_off") forbid (principal, action == Action::"run_playbook", resource == Playbook::"kernel_heartbeat_gap");',
      ),
    ));

  test('and leaves a request where it needs an approval; approved, it runs', () =>
    withHealer(
      [product('kernel_heartbeat_gap')],
      async (rig) => {
        const run = { playbook: 'kernel_heartbeat_gap', target: 'librarian' };
        const first = (await rig.call('self_healing', 'run', run)) as { outcome: string; detail: string };
        assert.match(first.detail, /^APPROVAL_NEEDED: .*asked/);
        const [, id] = /request (apr-\S+)$/.exec(first.detail)!;
        await rig.bus('cli').request('kernel.governance.call.approve', { id });
        await poll('a run that heals', async () => {
          const again = (await rig.call('self_healing', 'run', run)) as { outcome: string };
          return again.outcome === 'healed';
        });
      },
      selfHealing,
      () => {},
      governed(
        '@id("asked") forbid (principal, action == Action::"run_playbook", resource) unless { context.approved };',
      ),
    ));
});

describe('when governance does not decide', () => {
  test('a playbook of the emergency list that only looks, restarts and mutes still runs', () =>
    withHealer(
      [product('kernel_heartbeat_gap')],
      async (rig, system) => {
        system.open({ id: 'i1', ...gap });
        assert.equal((await ended(rig, 'i1')).outcome, 'healed');
        assert.ok(rig.logs.some(({ message }) => /emergency playbook runs without it/.test(message)));
      },
      selfHealing,
      () => {},
      silent,
    ));

  test('it does not run when what governance answers cannot be read: that may have been a no', () =>
    withHealer(
      [product('kernel_heartbeat_gap')],
      async (rig, system) => {
        const asked = { playbook: 'kernel_heartbeat_gap', target: 'librarian' };
        const run = (await rig.call('self_healing', 'run', asked)) as { outcome: string; detail: string };
        assert.match(run.detail, /^GOVERNANCE_UNREACHABLE: governance could not be asked \(PROTOCOL: /);
        assert.deepEqual([run.outcome, system.restarts()], ['refused', []]);
      },
      selfHealing,
      () => {},
      undecided(() => ({ outcome: 'forbidden' })),
    ));

  test('every other is refused, also one that only bears the name of an emergency playbook', () => {
    const text = (id: string, action: string) => `id: ${id}
title: Does something
trigger: []
guards: { budget: 9, window: 1h, cool_down: 0 }
steps:
  - { id: act, action: ${action}, deadline: 1s }
post_condition: { all: [{ fact: target.known, is: true }], hold: 0, within: 1s }
`;
    const files = [
      written('mine.yaml', text('mine', '{ probe: { kernel: librarian } }')),
      written(
        'cpu_saturation.yaml',
        text('cpu_saturation', '{ verb: { kernel: librarian, verb: forget, input: {} } }'),
      ),
    ];
    return withHealer(
      files,
      async (rig, system) => {
        for (const playbook of ['mine', 'cpu_saturation']) {
          const run = (await rig.call('self_healing', 'run', { playbook, target: 'librarian' })) as {
            outcome: string;
            detail: string;
          };
          assert.equal(run.outcome, 'refused');
          assert.match(run.detail, /^GOVERNANCE_UNREACHABLE: governance could not be asked \(INTERNAL: out of order\)/);
        }
        assert.equal(
          system.asked.some(({ command }) => command === 'probe'),
          false,
        );
      },
      selfHealing,
      () => {},
      silent,
    );
  });
});
