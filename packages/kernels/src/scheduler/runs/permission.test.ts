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

/** A kernel that takes whatever it is asked. */
function target(id: string) {
  const asked: { verb: string; correlation: string | undefined; id: string | undefined }[] = [];
  const verb = (name: string) => (_: unknown, meta: { correlation?: string; id?: string }) => {
    asked.push({ verb: name, correlation: meta.correlation, id: meta.id });
    return {};
  };
  const definition = defineKernel({
    id,
    start: () => ({ verbs: { get: verb('get'), append: verb('append') }, probe: () => ({}) }),
  });
  return { asked, definition };
}

interface Shown {
  state: string;
  attempt: number;
  error: string | null;
  due: string;
}
const history = async (rig: KernelRig, id: string) => (await rig.call('scheduler', 'history', { id })) as Shown[];
const ended = (rig: KernelRig, id: string) =>
  poll(`the run of ${id} to end`, async () =>
    (await history(rig, id)).find(({ state }) => ['ok', 'failed'].includes(state)),
  );

async function withRig(definitions: KernelDefinition[], body: (rig: KernelRig) => Promise<void>) {
  const rig = await rigKernels(definitions);
  try {
    await body(rig);
  } finally {
    await rig.close();
  }
}

describe('a job that calls a verb asks governance first', () => {
  test('and calls it when the policies permit, with its due time as the key of each attempt', () => {
    const { asked, definition } = target('librarian');
    return withRig([governed, definition, kernel], async (rig) => {
      await rig.call('scheduler', 'add', { id: 'read', inMs: 10, call: { kernel: 'librarian', verb: 'get' } });
      const run = await ended(rig, 'read');
      assert.equal(run.state, 'ok', run.error ?? '');
      assert.deepEqual(
        asked.map(({ correlation }) => correlation),
        [`read@${run.due}`],
      );
    });
  });

  test('and does not call it when they forbid', () => {
    const { asked, definition } = target('secret_manager');
    return withRig([governed, definition, kernel], async (rig) => {
      await rig.call('scheduler', 'add', { id: 'spy', inMs: 10, call: { kernel: 'secret_manager', verb: 'get' } });
      const run = await ended(rig, 'spy');
      assert.match(run.error!, /^FORBIDDEN: .*plans_leave_the_safeguards_alone/);
      assert.deepEqual(asked, []);
    });
  });

  test('and when they want an approval, a later attempt after it is the one that calls', () => {
    const { asked, definition } = target('immutable_log');
    return withRig([governed, definition, kernel], async (rig) => {
      await rig.call('scheduler', 'add', {
        id: 'note',
        inMs: 10,
        call: { kernel: 'immutable_log', verb: 'append' },
        retry: { attempts: 100, backoff: 50, backoffMax: 200 },
      });
      const waiting = await poll('the request', async () =>
        (await history(rig, 'note')).find(({ error }) => error?.startsWith('APPROVAL_NEEDED')),
      );
      assert.notEqual(waiting.state, 'ok');
      assert.deepEqual(asked, []);
      const cli = rig.bus('cli');
      const pending = (await cli.request('kernel.governance.call.approvals', { state: 'pending' })) as { id: string }[];
      await cli.request('kernel.governance.call.approve', { id: pending[0]!.id });
      assert.equal((await ended(rig, 'note')).state, 'ok');
      assert.deepEqual(
        asked.map(({ verb }) => verb),
        ['append'],
      );
    });
  });

  test('and does not call it while governance cannot be asked', () => {
    const { asked, definition } = target('librarian');
    return withRig([definition, kernel], async (rig) => {
      await rig.call('scheduler', 'add', { id: 'read', inMs: 10, call: { kernel: 'librarian', verb: 'get' } });
      const run = await ended(rig, 'read');
      assert.deepEqual([run.state, asked], ['failed', []]);
      assert.match(run.error!, /^GOVERNANCE_UNREACHABLE: .*BUS_NO_RESPONDERS/);
    });
  });
});

describe('what a run says', () => {
  test('names as its cause the message that added its job, and one by hand the message that asked for it', () =>
    withRig([kernel], async (rig) => {
      const causes: (string | undefined)[] = [];
      await rig.bus('listener').subscribe('task.note', ({ causation }) => void causes.push(causation));
      const rule = rig.bus('rule');
      const job = { id: 'tick', every: '1h', publish: { subject: 'task.note' } };
      await rule.request(
        'kernel.scheduler.call.add',
        { ...job, id: 'soon', every: undefined, inMs: 10 },
        { id: 'rule-1' },
      );
      await rule.request('kernel.scheduler.call.add', job, { id: 'rule-2' });
      await poll('the one-shot', () => causes.length === 1);
      await rig.restart('scheduler');
      await rule.request('kernel.scheduler.call.run', { id: 'tick' }, { id: 'rule-3' });
      await poll('the run by hand', () => causes.length === 2);
      assert.deepEqual(causes, ['rule-1', 'rule-3']);
    }));
});
