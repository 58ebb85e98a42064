import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import governance from '../../governance/kernel.ts';
import kernel from '../kernel.ts';

const PRODUCT = fileURLToPath(new URL('../../../../../configs/policies/', import.meta.url));

/** The real one, over the policies of the product. */
const governed = defineKernel({
  id: 'governance',
  start: (ctx) => governance.start({ ...ctx, config: { folders: [PRODUCT] } }),
});
const asked: string[] = [];
const target = (id: string): KernelDefinition =>
  defineKernel({ id, start: () => ({ verbs: { get: () => void asked.push(id) }, probe: () => ({}) }) });

interface Fired {
  rule: string;
  outcome: string;
  detail: string;
}

async function firings(definitions: KernelDefinition[], kernels: string[]): Promise<Map<string, Fired>> {
  asked.length = 0;
  const rig: KernelRig = await rigKernels([...definitions, kernel]);
  try {
    for (const id of kernels)
      await rig.call('trigger_mesh', 'define', {
        id: `ask_${id}`,
        on: 'a.b',
        do: [{ call: { kernel: id, verb: 'get' } }],
      });
    await rig.bus('tester').publish('a.b', {});
    const all = await poll('all firings', async () => {
      const fired = (await rig.call('trigger_mesh', 'fired')) as Fired[];
      return fired.length === kernels.length && fired;
    });
    return new Map(all.map((one) => [one.rule, one]));
  } finally {
    await rig.close();
  }
}

describe('a rule that calls a verb asks governance first', () => {
  test('and calls what the policies permit, not what they forbid or want approved', async () => {
    const kernels = ['librarian', 'secret_manager', 'immutable_log'];
    const fired = await firings([governed, ...kernels.map(target)], kernels);
    assert.equal(fired.get('ask_librarian')?.outcome, 'done');
    assert.match(fired.get('ask_secret_manager')!.detail, /^FORBIDDEN: .*plans_leave_the_safeguards_alone/);
    assert.match(fired.get('ask_immutable_log')!.detail, /^APPROVAL_NEEDED: /);
    assert.deepEqual(asked, ['librarian']);
  });

  test('and calls nothing while governance cannot be asked', async () => {
    const fired = await firings([target('librarian')], ['librarian']);
    assert.match(fired.get('ask_librarian')!.detail, /^GOVERNANCE_UNREACHABLE: /);
    assert.deepEqual(asked, []);
  });
});
