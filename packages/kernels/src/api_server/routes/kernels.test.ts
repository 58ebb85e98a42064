import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { type Bench, openBench, statusOf } from '../fixtures/bench.ts';

describe('calling a verb', () => {
  let bench: Bench;
  let viewer: string;
  let operator: string;
  let admin: string;
  before(async () => {
    bench = await openBench({ times: { callMs: 2000 }, limits: { calls: 3 } });
    bench.status = statusOf(['scheduler', 'governance', 'secret_manager', 'api_server']);
    [viewer, operator, admin] = [
      await bench.token('viewer'),
      await bench.token('operator'),
      await bench.token('admin'),
    ];
  });
  after(() => bench.close());
  const post = (path: string, token: string, body?: unknown) =>
    bench.ask(`/api/v1/kernels/${path}`, { method: 'POST', token, body });

  test('is done under the name of the caller, with its input and deadline', async () => {
    const { status, body } = await post('scheduler/verbs/add?deadlineMs=500', operator, { id: 'x' });
    assert.equal(status, 200);
    assert.deepEqual(body.answer, {
      kernel: 'scheduler',
      verb: 'add',
      input: { id: 'x' },
      as: 'alice',
      deadlineMs: 500,
    });
    assert.equal(bench.questions.at(-1)!.resource, 'scheduler.add');
    assert.deepEqual((await post('scheduler/verbs/status', viewer)).body.answer.input, {});
  });

  test('is refused by role, by the verbs of the token, by policy, and without governance', async () => {
    const before = bench.calls.length;
    const asked = bench.questions.length;
    assert.match((await post('scheduler/verbs/add', viewer)).body.error.message, /needs the role operator/);
    assert.match((await post('governance/verbs/approve', operator)).body.error.message, /needs the role admin/);
    const narrow = await bench.token('admin', { verbs: ['librarian.*'] });
    assert.match((await post('scheduler/verbs/add', narrow)).body.error.message, /may call librarian/);
    assert.equal(bench.questions.length, asked, 'governance is not bothered with these');
    bench.decide = { outcome: 'forbid', policies: ['no_jobs_at_night'] };
    const forbidden = await post('scheduler/verbs/add', operator);
    assert.deepEqual(
      [forbidden.status, forbidden.body.error.code, forbidden.body.error.details.policies],
      [403, 'FORBIDDEN', ['no_jobs_at_night']],
    );
    bench.decide = { outcome: 'needs_approval', approval: { id: 'apr-1' } };
    const waits = await post('scheduler/verbs/add', operator);
    assert.deepEqual(
      [waits.status, waits.body.error.code, waits.body.error.details.approval],
      [403, 'APPROVAL_NEEDED', 'apr-1'],
    );
    bench.decide = null;
    const alone = await post('scheduler/verbs/add', admin);
    assert.deepEqual([alone.status, alone.body.error.code], [503, 'GOVERNANCE_UNREACHABLE']);
    assert.equal(bench.calls.length, before, 'nothing was called');
    assert.equal((await post('scheduler/verbs/jobs', viewer)).status, 200, 'what only tells needs no governance');
    assert.equal((await post('governance/verbs/approve', admin)).status, 200, 'governance asks itself');
    bench.decide = { outcome: 'permit' };
  });

  test('is on the record when it acts, whatever became of it', async () => {
    const heard: Record<string, unknown>[] = [];
    const listener = bench.rig.bus('listener');
    await listener.subscribe(
      'audit.api_server',
      (message) => void heard.push(message.payload as Record<string, unknown>),
    );
    await post('scheduler/verbs/jobs', viewer);
    await post('scheduler/verbs/add', operator);
    bench.verb = () => {
      throw new GraceError('CONFLICT', 'taken', { remoteStack: 'at secret/place.ts:1' });
    };
    const failed = await post('scheduler/verbs/add', operator);
    assert.deepEqual([failed.status, failed.body], [409, { error: { code: 'CONFLICT', message: 'taken' } }]);
    bench.verb = (order) => order;
    await poll('both are on the record', () => heard.length === 2);
    const about = {
      actor: 'api_server:alice',
      action: 'verb:call',
      resource: 'scheduler.add',
      subsystem: 'api_server',
    };
    assert.deepEqual(heard, [
      { ...about, outcome: 'ok' },
      { ...about, outcome: 'CONFLICT' },
    ]);
  });

  test('answers names that are near, and bounds what runs at once', async () => {
    const near = await post('sheduler/verbs/jobs', viewer);
    assert.deepEqual([near.status, near.body.error.code], [404, 'UNKNOWN_KERNEL']);
    assert.match(near.body.error.message, /scheduler/);
    for (const path of ['scheduler/verbs/__proto__', 'scheduler/verbs/a.b', '__proto__/verbs/x', 'a%2fb/verbs/x'])
      assert.ok([400, 404].includes((await post(path, admin)).status), path);
    const gate = Promise.withResolvers<void>();
    bench.verb = () => gate.promise;
    const waiting = [1, 2, 3].map(() => post('scheduler/verbs/jobs', viewer));
    const calls = async () => ((await bench.rig.call('api_server', 'status')) as { calls: number }).calls;
    await poll('three calls run', async () => (await calls()) === 3);
    const full = await post('scheduler/verbs/jobs', viewer);
    assert.deepEqual([full.status, full.body.error.code, full.headers.get('retry-after')], [503, 'API_FULL', '1']);
    gate.resolve();
    for (const { status, body } of await Promise.all(waiting))
      assert.deepEqual([status, body], [200, { answer: null }]);
    bench.verb = (order) => order;
  });
});
