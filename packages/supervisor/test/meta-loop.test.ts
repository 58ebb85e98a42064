import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AnyRecord, HOME } from '@grace/contracts';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';
import { openJournal } from '../src/journal/journal.ts';
import { misbehavingKernels } from './misbehaving.ts';

const HOUR_MS = 3_600_000;
const HANGS = 40;

/** The journal of a home in which hangs of `victim` are noticed by its probe, and since a day after three times as long. */
async function plant(home: string): Promise<void> {
  mkdirSync(home, { recursive: true });
  const now = { wallMs: Date.now() - (HANGS + 1) * HOUR_MS, monoMs: 1000 };
  const journal = await openJournal(join(home, HOME.journal), { wallMs: () => now.wallMs, monoMs: () => now.monoMs });
  const kernel = 'victim';
  const safeguards = { heartbeatDetector: true, mute: true, restartEngine: true };
  const boot = { pid: 1, version: '0', node: '26', cores: 2, armed: false, kernels: [kernel], safeguards };
  journal.append({ name: 'system:boot', data: boot });
  journal.append({ name: 'kernel:ready', kernel, incarnation: 1, data: { readyMs: 50, probe: {} } });
  for (let i = 0; i < HANGS; i++) {
    now.wallMs += HOUR_MS;
    const failed = { ok: false, ms: 0, why: 'failed' };
    journal.append({ name: 'kernel:probe', kernel, data: failed });
    now.monoMs += (i < HANGS / 2 ? 200 : 600) + ((i * 7) % 10);
    const id = `planted-${i}`;
    const about = { kind: 'kernel_hung' as const, subject: kernel, title: 'planted', severity: 'high' as const };
    const incident = { id, ...about, openedMono: now.monoMs, escalated: false };
    journal.append({ name: 'incident:open', kernel, data: { incident } });
    journal.append({
      name: 'detector:fire',
      kernel,
      data: { method: 'probe', incident: id, subject: kernel, evidence: {} },
    });
    journal.append({
      name: 'kernel:restart',
      kernel,
      data: { cause: 'probe', attempt: 1, delayMs: 0, by: 'restart engine' },
    });
    now.monoMs += 100;
    journal.append({ name: 'kernel:ready', kernel, incarnation: i + 2, data: { readyMs: 50, probe: {} } });
    journal.append({ name: 'incident:close', kernel, data: { id, outcome: 'planted' } });
  }
  await journal.close();
}

interface Evaluated {
  journal: { complete: boolean };
  kinds: { kind: string; count: number; open: number; recover: { n: number; median: number } }[];
  kernels: { kernel: string }[];
  restarts: { count: number; false: number; falseOnes: unknown[]; unknown: number; byCause: Record<string, number> };
}
interface Proposed {
  proposals: { id: string; knob: string; target: string; from: number; to: number; held: string | null }[];
}

/** The same from the journal itself. */
function countedBy(records: readonly AnyRecord[]): {
  counts: Record<string, number>;
  crashMs: number[];
  restarts: number;
} {
  const closed = new Map(
    records.flatMap((record) => (record.name === 'incident:close' ? [[record.data.id, record.monoMs]] : [])),
  );
  const opened = records.filter((record) => record.name === 'incident:open');
  return {
    counts: Object.fromEntries(
      [...Map.groupBy(opened, ({ data }) => data.incident.kind)].map(([kind, own]) => [kind, own.length]),
    ),
    crashMs: opened.flatMap(({ data: { incident }, monoMs }) =>
      incident.kind === 'kernel_crash' && closed.has(incident.id) ? [closed.get(incident.id)! - monoMs] : [],
    ),
    restarts: records.filter(({ name }) => name === 'kernel:restart').length,
  };
}

describe('meta_loop over the journal of its home', () => {
  let site: Site;
  let system: System;
  let experiment: string;
  before(async () => {
    const { config, files } = misbehavingKernels({ victim: { restart: { budget: 50, reset_after: '1h' } } });
    site = openSite({ config, files });
    await plant(site.home);
    system = await bootSystem({ site, args: ['--only', 'victim,meta_loop'] });
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => site?.close({ mayLeave: true }));

  const crash = async (): Promise<void> => {
    const { incarnation } = await system.kernel('victim');
    await system.call('victim', 'crash');
    await system.back('victim', incarnation);
  };
  const tuned = async () =>
    (await system.journal('kernel:tune')).map(({ kernel, data: { knob, from, to, by } }) => [
      kernel,
      knob,
      from,
      to,
      by,
    ]);

  test('finds the planted regression, proposes the right knob, and tries nothing before a person has approved', async () => {
    const [proposal] = (
      await poll(
        'it has asked by itself',
        async () => {
          const found = await system.call<Proposed>('meta_loop', 'proposals');
          return found.proposals[0]?.held?.startsWith('APPROVAL_NEEDED') && found;
        },
        { deadlineMs: 30_000 },
      )
    ).proposals;
    assert.deepEqual(
      [proposal!.knob, proposal!.target, proposal!.from, proposal!.to],
      ['probe_interval', 'victim', 5000, 2500],
    );
    await assert.rejects(system.call('meta_loop', 'apply', { proposal: proposal!.id }), { code: 'APPROVAL_NEEDED' });
    assert.deepEqual(await tuned(), []);
    const approvals = await system.call<{ id: string; action: string }[]>('governance', 'approvals', {
      state: 'pending',
    });
    assert.deepEqual(
      approvals.map(({ action }) => action),
      ['tune'],
    );
    const { code, stderr } = await system.grace('approvals', 'approve', approvals[0]!.id);
    assert.equal(code, 0, stderr);
    const applied = await system.call<{ id: string; state: string }>('meta_loop', 'apply', { proposal: proposal!.id });
    assert.equal(applied.state, 'watching');
    experiment = applied.id;
    assert.deepEqual(await tuned(), [['victim', 'probe.intervalMs', 5000, 2500, 'meta_loop']]);
  });

  test('leaves a system alone that needs nothing: of the real records so far, nothing is proposed', async () => {
    const quiet = await system.call<Evaluated & Proposed & { unhelped: [] }>('meta_loop', 'evaluate', {
      window: '30m',
    });
    assert.ok(quiet.journal.complete);
    assert.ok(quiet.kernels.length >= 4, 'the starts are on record');
    assert.deepEqual([quiet.proposals, quiet.unhelped, quiet.restarts.count], [[], [], 0]);
  });

  test('reports of real crashes and a real hang what the journal says, and of no false restart', async () => {
    for (let i = 0; i < 3; i++) await crash();
    const { incarnation } = await system.kernel('victim');
    await system.call('victim', 'spin');
    await system.back('victim', incarnation);
    const found = await system.call<Evaluated>('meta_loop', 'evaluate', { window: '7d' }, 30_000);
    const wanted = countedBy(await system.journal());
    // A busy machine is an incident of its own, which may come and go between the two.
    const counts = Object.fromEntries(found.kinds.map(({ kind, count }) => [kind, count]));
    for (const kind of ['kernel_crash', 'kernel_hung']) assert.equal(counts[kind], wanted.counts[kind], kind);
    assert.equal(counts['kernel_crash'], 3);
    const recover = found.kinds.find(({ kind }) => kind === 'kernel_crash')!.recover;
    assert.deepEqual([recover.n, recover.median], [3, wanted.crashMs.sort((a, b) => a - b)[1]]);
    assert.equal(found.restarts.count, wanted.restarts);
    assert.deepEqual(found.restarts.falseOnes, []);
    assert.equal(found.restarts.unknown, 0);
  });

  test('whose cell is killed counts what happened while it was away, once, and goes on with its experiment', async () => {
    const { incarnation } = await system.kernel('meta_loop');
    process.kill(await system.cellPid('repair'), 'SIGKILL');
    await crash();
    await system.back('meta_loop', incarnation);
    const found = await system.call<Evaluated>('meta_loop', 'evaluate', { window: '7d' }, 30_000);
    const wanted = countedBy(await system.journal());
    assert.equal(found.kinds.find(({ kind }) => kind === 'kernel_crash')?.count, wanted.counts['kernel_crash']);
    assert.equal(found.restarts.byCause['cell'], 1);
    assert.deepEqual(found.restarts.falseOnes, []);
    const { underWay } = await system.call<{ underWay: { id: string; state: string }[] }>('meta_loop', 'status');
    assert.deepEqual(
      underWay.map(({ id, state }) => [id, state]),
      [[experiment, 'watching']],
    );
  });

  test('finds the knob as it left it after the supervisor was killed, and turns it back', async () => {
    process.kill(system.pid, 'SIGKILL');
    const input = JSON.stringify({ experiment, reason: 'a test' });
    const answer = await poll(
      'it is taken back',
      async () => {
        const { code, stdout, stderr } = await system.grace('call', 'meta_loop', 'rollback', input);
        assert.equal(code, 0, stderr);
        return stdout;
      },
      { deadlineMs: 30_000, everyMs: 200 },
    );
    assert.equal((JSON.parse(answer) as { state: string }).state, 'rolled_back');
    const { stdout } = await system.grace('call', 'meta_loop', 'history', '{"limit": 1}');
    assert.match(stdout, /test asked for it: a test|cli asked for it: a test/);
  });

  test('leaves nothing behind', () => system.stop());
});
