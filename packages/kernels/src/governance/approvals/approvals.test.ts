import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { change, folderOf, isCoded, withGovernance } from '../fixtures/governance-rig.ts';

describe('approvals', () => {
  test('a request that somebody else approves is permitted once', () =>
    withGovernance(async (rig) => {
      const asked = await rig.as('coding_agent', 'request', { ...change('task-1'), reason: 'a fix' });
      assert.equal(asked.outcome, 'needs_approval');
      const again = await rig.as('coding_agent', 'request', change('task-1'));
      assert.equal(again.approval?.id, asked.approval!.id, 'the same question makes no second request');
      const { id } = asked.approval!;
      assert.equal(((await rig.as('cli', 'approve', { id, note: 'read it' })) as { state?: string }).state, 'approved');
      assert.equal(
        (await rig.as('coding_agent', 'decide', change('task-2'))).outcome,
        'needs_approval',
        'it holds for this question alone',
      );
      const permitted = await rig.as('coding_agent', 'decide', change('task-1'));
      assert.deepEqual([permitted.outcome, permitted.approval?.id, permitted.approval?.state], ['permit', id, 'used']);
      assert.equal((await rig.as('coding_agent', 'decide', change('task-1'))).outcome, 'needs_approval');
      await assert.rejects(rig.as('cli', 'approve', { id }), isCoded('CONFLICT', /is used, not pending/));
    }));

  test('of many that ask at the same time, one approval permits one', () =>
    withGovernance(async (rig) => {
      const { approval } = await rig.as('coding_agent', 'request', change('task-1'));
      await rig.as('cli', 'approve', { id: approval!.id });
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => rig.as('coding_agent', 'decide', change('task-1'))),
      );
      assert.equal(answers.filter(({ outcome }) => outcome === 'permit').length, 1);
    }));

  test('an approval for a time permits as often as it is asked, until it is taken back', () =>
    withGovernance(async (rig) => {
      const { approval } = await rig.as('coding_agent', 'request', change('task-1'));
      const { id } = approval!;
      await rig.as('cli', 'approve', { id, forMs: 60_000 });
      for (let i = 0; i < 3; i++)
        assert.equal((await rig.as('coding_agent', 'decide', change('task-1'))).outcome, 'permit');
      await rig.as('cli', 'deny', { id });
      assert.equal((await rig.as('coding_agent', 'decide', change('task-1'))).outcome, 'needs_approval');
    }));

  test('nobody approves a request of their own, nor one they brought for somebody else', () =>
    withGovernance(async (rig) => {
      const mine = await rig.as('cli', 'request', { ...change('task-1'), principal: 'coding_agent' });
      await assert.rejects(
        rig.as('cli', 'approve', { id: mine.approval!.id }),
        isCoded('FORBIDDEN', /somebody else must decide/),
      );
      const own = await rig.as('coding_agent', 'request', change('task-2'));
      await assert.rejects(rig.as('coding_agent', 'approve', { id: own.approval!.id }), isCoded('FORBIDDEN'));
      await assert.rejects(
        rig.as('librarian', 'approve', { id: own.approval!.id }),
        isCoded('FORBIDDEN', /no policy permits/),
      );
      assert.equal((await rig.as('coding_agent', 'decide', change('task-2'))).outcome, 'needs_approval');
      const refusals = (await rig.as('cli', 'decisions', {})) as never as {
        action: string;
        outcome: string;
        actor: string;
      }[];
      assert.ok(
        refusals.some(
          ({ action, outcome, actor }) => action === 'decide_request' && outcome === 'forbid' && actor === 'librarian',
        ),
      );
    }));

  test('what is forbidden stays so with an approval given before the policy came', () => {
    const own = folderOf({});
    return withGovernance(
      async (rig) => {
        const { approval } = await rig.as('coding_agent', 'request', change('task-1'));
        await rig.as('cli', 'approve', { id: approval!.id });
        writeFileSync(
          join(own, 'mine.cedar'),
          '@id("frozen") forbid (principal, action == Action::"apply_change", resource);',
        );
        await rig.as('cli', 'reload');
        const decided = await rig.as('coding_agent', 'decide', change('task-1'));
        assert.deepEqual([decided.outcome, decided.policies], ['forbid', ['frozen']]);
      },
      { own },
    );
  });

  test('requests and approvals survive a restart, and end at their time', () => {
    let offsetMs = 0;
    return withGovernance(
      async (rig) => {
        const pending = await rig.as('coding_agent', 'request', { ...change('task-1'), expiresMs: 60_000 });
        const approved = await rig.as('coding_agent', 'request', change('task-2'));
        await rig.as('cli', 'approve', { id: approved.approval!.id });
        await rig.restart('governance');
        assert.equal((await rig.as('coding_agent', 'request', change('task-1'))).approval?.id, pending.approval!.id);
        offsetMs = 3_600_000;
        await assert.rejects(rig.as('cli', 'approve', { id: pending.approval!.id }), isCoded('CONFLICT', /expired/));
        assert.equal((await rig.as('coding_agent', 'decide', change('task-2'))).outcome, 'needs_approval');
        // A clock that is set back does not bring it back.
        offsetMs = 0;
        assert.equal((await rig.as('coding_agent', 'decide', change('task-2'))).outcome, 'needs_approval');
        const list = (await rig.as('cli', 'approvals', { state: 'expired' })) as never as { id: string }[];
        assert.deepEqual(list.map(({ id }) => id).sort(), [pending.approval!.id, approved.approval!.id].sort());
      },
      { change: () => ({ clock: { wallMs: () => Date.now() + offsetMs, monoMs: () => performance.now() } }) },
    );
  });
});

describe('drill permits', () => {
  const wish = { holder: 'run 7', faults: ['cpu_spin'], forMs: 60_000, armed: true, principal: 'laboratory' };

  test('are issued, listed, revoked at the end, and written down', () =>
    withGovernance(async (rig) => {
      const acts: Record<string, unknown>[] = [];
      await rig.bus('record').subscribe('audit.governance', ({ payload }) => void acts.push(payload as never));
      const permit = (await rig.as('supervisor', 'permit', wish)) as never as {
        id: string;
        state: string;
        policies: string[];
      };
      assert.deepEqual([permit.state, permit.policies], ['active', ['laboratory_drills_armed_systems']]);
      await rig.restart('governance');
      assert.equal(((await rig.as('cli', 'permits', { state: 'active' })) as never as unknown[]).length, 1);
      await assert.rejects(rig.as('chaos_test', 'revoke', { id: permit.id }), isCoded('FORBIDDEN'));
      assert.equal(
        ((await rig.as('supervisor', 'revoke', { id: permit.id })) as never as { state: string }).state,
        'revoked',
      );
      await assert.rejects(rig.as('supervisor', 'revoke', { id: permit.id }), isCoded('CONFLICT', /revoked already/));
      await poll(
        'issue and revocation on record',
        () => acts.filter(({ action }) => action === 'drill permit').length === 2,
      );
    }));

  test('are refused to a system that is not armed, for too long, and to an intruder', () =>
    withGovernance(async (rig) => {
      await assert.rejects(
        rig.as('supervisor', 'permit', { ...wish, armed: false }),
        isCoded('FORBIDDEN', /unarmed_systems_are_not_drilled/),
      );
      await assert.rejects(
        rig.as('supervisor', 'permit', { ...wish, forMs: 7_200_000 }),
        isCoded('FORBIDDEN', /drills_end_within_an_hour/),
      );
      await assert.rejects(rig.as('chaos_test', 'permit', { ...wish, principal: 'chaos_test' }), isCoded('FORBIDDEN'));
      await assert.rejects(rig.as('chaos_test', 'permit', wish), isCoded('FORBIDDEN', /asks for itself/));
      assert.deepEqual(await rig.as('cli', 'permits'), []);
    }));

  test('end by themselves', () => {
    let offsetMs = 0;
    return withGovernance(
      async (rig) => {
        await rig.as('supervisor', 'permit', wish);
        offsetMs = 61_000;
        const [permit] = (await rig.as('cli', 'permits')) as never as { state: string }[];
        assert.equal(permit?.state, 'expired');
      },
      { change: () => ({ clock: { wallMs: () => Date.now() + offsetMs, monoMs: () => performance.now() } }) },
    );
  });
});

describe('kill -9 in the middle', () => {
  test('everything that was answered stands, no approval permits twice, and every decision is in the journal of acts', async () => {
    const fixture = fileURLToPath(new URL('../fixtures/decides-until-killed.ts', import.meta.url));
    // It cannot remove what it makes, so all of that is made here.
    const place = mkdtempSync(join(tmpdir(), 'grace-killed-'));
    const env = { ...process.env, TMPDIR: place };
    const child = spawn(process.execPath, [fixture], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const lines: Record<string, string>[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(JSON.parse(line));
      if (lines.length === 60) child.kill('SIGKILL');
    }
    await ended;
    const { home } = lines[0]!;
    const told = (what: string) => lines.filter((line) => line['what'] === what);
    const stateDir = join(home!, 'governance');
    const store = createStore(stateDir);
    try {
      await withGovernance(
        async (rig) => {
          await rig.probe('governance');
          const approvals = (await rig.as('cli', 'approvals', { limit: 1000 })) as never as {
            id: string;
            state: string;
            uses: number;
          }[];
          const state = new Map(approvals.map((approval) => [approval.id, approval]));
          for (const { id } of told('requested')) assert.ok(state.has(id!));
          for (const { id } of told('approved')) assert.match(state.get(id!)!.state, /^(approved|used)$/);
          assert.ok(told('decided').length > 0);
          for (const { id, outcome, approval } of told('decided')) {
            assert.equal(outcome, 'permit');
            assert.deepEqual([state.get(approval!)?.state, state.get(approval!)?.uses], ['used', 1]);
            assert.equal(((await rig.as('cli', 'decisions', { id })) as never as unknown[]).length, 1);
          }
          const permits = (await rig.as('cli', 'permits', { limit: 1000 })) as never as { id: string }[];
          for (const { id } of told('issued')) assert.ok(permits.some((permit) => permit.id === id));
          const decisions = (await rig.as('cli', 'decisions', { limit: 1000 })) as never as {
            approval?: string;
            outcome: string;
          }[];
          const used = decisions.filter(({ outcome, approval }) => outcome === 'permit' && approval);
          assert.equal(new Set(used.map(({ approval }) => approval)).size, used.length);
        },
        { change: () => ({ store, stateDir }) },
      );
    } finally {
      store.close();
      const left = readdirSync(place);
      rmSync(place, { recursive: true, force: true });
      assert.deepEqual(left, [basename(home!)], 'nothing but its home');
    }
  });
});
