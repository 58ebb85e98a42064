import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAcl } from '@grace/contracts/config';
import { defineKernel } from '@grace/kernel-sdk';
import { poll, rigKernels } from '@grace/testkit';
import { counted, ID, outcome, type Statistics, supervisorOf, withLearning } from './fixtures/bench.ts';
import kernel from './kernel.ts';

interface Chosen {
  playbook: string;
  why: string;
  explored: boolean;
  expected: { mean: number };
  alternatives: { playbook: string; mean: number; low: number; high: number; runs: number }[];
  choice: string | null;
  seed: number | null;
}

describe('the functional probe', () => {
  test('prefers the better of two after ten planted outcomes, and leaves nothing behind', () =>
    withLearning(async ({ rig, call, status }) => {
      for (let i = 0; i < 3; i++) {
        const { planted, preferred } = await rig.probe(ID);
        assert.equal(planted, 10);
        assert.ok(Number(preferred) >= 38, `${preferred}`);
      }
      assert.equal((await status()).outcomes.kept, 0);
      assert.deepEqual((await call<Statistics>('statistics')).statistics, []);
    }));

  for (const [what, sql, complaint] of [
    ['loses an outcome', 'DELETE FROM outcome WHERE key = new.key', /the store knows 0/],
    [
      'takes every outcome for a failure',
      "UPDATE outcome SET end = 'not_healed' WHERE key = new.key",
      /preferred \d+ of 40/,
    ],
    ['mixes up playbooks', "UPDATE outcome SET playbook = 'probe fails' WHERE key = new.key", /preferred \d+ of 40/],
  ] as const)
    test(`fails when the store ${what}`, () =>
      withLearning(async ({ rig, status }) => {
        const db = new DatabaseSync(join(rig.stateDir(ID), 'store.sqlite'));
        db.exec(`CREATE TRIGGER breakage AFTER INSERT ON outcome BEGIN ${sql}; END`);
        db.close();
        await assert.rejects(rig.probe(ID), complaint);
        assert.equal((await status()).outcomes.kept, 0, 'what it planted is gone all the same');
      }));
});

describe('outcomes', () => {
  test('are counted once per key, and shown with rate and interval', () =>
    withLearning(async ({ call, rig }) => {
      for (let n = 0; n < 4; n++) assert.deepEqual(await call('record', outcome(n)), { key: `k${n}`, repeated: false });
      assert.deepEqual(await call('record', outcome(0)), { key: 'k0', repeated: true });
      await call('record', outcome(4, { outcome: 'not_healed' }));
      await call('record', outcome(5, { outcome: 'refused' }));
      await assert.rejects(call('record', outcome(0, { outcome: 'made_worse' })), { code: 'CONFLICT' });
      await rig.restart(ID);
      const { statistics } = await call<Statistics>('statistics', { signature: 'kernel_hung' });
      const [one, ...rest] = statistics;
      assert.deepEqual(rest, []);
      assert.deepEqual({ ...one!.counts }, { healed: 4, not_healed: 1, made_worse: 0, refused: 1, interrupted: 0 });
      assert.ok(Math.abs(one!.rate - 5 / 7) < 0.01, 'the refused one does not count');
      assert.ok(one!.low > 0.3 && one!.low < one!.rate && one!.rate < one!.high && one!.high < 1);
    }));

  test('of two principals under one key are two', () =>
    withLearning(async ({ as, status }) => {
      await as('self_healing', 'record', outcome(0));
      await as('coding_agent', 'record', outcome(0));
      assert.equal((await status()).outcomes.kept, 2);
    }));

  test('are shown page by page, each pair once', () =>
    withLearning(async ({ call }) => {
      for (let n = 0; n < 12; n++) await call('record', outcome(n, { signature: `s${n % 4}`, playbook: `p${n % 3}` }));
      const seen: string[] = [];
      let after: unknown;
      do {
        const page = await call<Statistics>('statistics', { limit: 5, ...(after ? { after } : {}) });
        seen.push(...page.statistics.map(({ signature, playbook }) => `${signature} ${playbook}`));
        after = page.after;
      } while (after);
      assert.equal(seen.length, 12);
      assert.deepEqual(seen, [...new Set(seen)].sort());
    }));

  test('that were answered survive kill -9 in the middle of the next, each once', async () => {
    const fixture = fileURLToPath(new URL('./fixtures/records-until-killed.ts', import.meta.url));
    const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    const ended = once(child, 'close');
    try {
      await poll('thirty answers', () => output.split('\n').length > 32, { deadlineMs: 60_000 });
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    const [home, ...answers] = output.split('\n').slice(0, -1);
    const db = new DatabaseSync(join(home!, ID, 'store.sqlite'));
    try {
      const rows = db.prepare('SELECT key, took_ms AS n FROM outcome').all() as { key: string; n: number }[];
      const choices = db.prepare('SELECT id FROM choice').all() as { id: string }[];
      const keys = new Map(rows.map(({ key, n }) => [n, key]));
      for (const answer of answers) {
        const [n, choice] = answer.split(' ');
        assert.equal(keys.get(Number(n)), `test k${n}`);
        assert.ok(choices.some(({ id }) => id === choice));
      }
      assert.ok(rows.length - answers.length <= 1, 'at most the one that was under way beside them');
      assert.equal(db.prepare('PRAGMA integrity_check').get()!['integrity_check'], 'ok');
    } finally {
      db.close();
      rmSync(home!, { recursive: true, force: true });
    }
  });
});

describe('a choice', () => {
  test('is the better playbook after ten planted outcomes, in at least 95 % of seeds', () =>
    withLearning(async ({ call }) => {
      for (let n = 0; n < 10; n++) {
        const isGood = n % 2 === 0;
        await call(
          'record',
          outcome(n, { playbook: isGood ? 'good' : 'bad', outcome: isGood ? 'healed' : 'not_healed' }),
        );
      }
      let good = 0;
      for (let seed = 0; seed < 60; seed++) {
        const asked = { signature: 'kernel_hung', candidates: ['bad', 'good'], seed };
        if ((await call<Chosen>('choose', asked)).playbook === 'good') good++;
      }
      assert.ok(good >= 57, `${good} of 60`);
    }));

  test('says why, what else there was, and can be drawn again from what is kept', () =>
    withLearning(async ({ call, rig }) => {
      for (let n = 0; n < 6; n++) await call('record', outcome(n));
      const asked = { signature: 'kernel_hung', candidates: ['replace', 'wait', 'other'], seed: 11, incident: 'inc-1' };
      const first = await call<Chosen>('choose', asked);
      assert.deepEqual(await call<Chosen>('choose', asked).then(({ playbook }) => playbook), first.playbook);
      assert.equal(first.alternatives.length, 2);
      for (const { mean, low, high } of first.alternatives) assert.ok(low < mean && mean < high);
      for (let n = 6; n < 60; n++) await call('record', outcome(n, { playbook: 'other' }));
      await rig.restart(ID);
      const again = await call<{ same: boolean; seed: number; redrawn: { playbook: string }; incident: string }>(
        'choices',
        {
          id: first.choice,
        },
      );
      assert.deepEqual(
        [again.same, again.seed, again.redrawn.playbook, again.incident],
        [true, 11, first.playbook, 'inc-1'],
      );
      assert.equal((await call<{ choices: unknown[] }>('choices', { limit: 1 })).choices.length, 1);
    }));

  test('of one candidate is that candidate: nothing is drawn, kept or explored', () =>
    withLearning(async ({ call, status }) => {
      for (let n = 0; n < 5; n++) await call('record', outcome(n, { outcome: 'made_worse' }));
      const before = await status();
      const chosen = await call<Chosen>('choose', { signature: 'kernel_hung', candidates: ['replace'] });
      assert.deepEqual(
        [chosen.playbook, chosen.explored, chosen.alternatives, chosen.choice, chosen.seed],
        ['replace', false, [], null, null],
      );
      assert.deepEqual(await status(), before);
    }));

  test('leans on what a playbook did against others where it was never run', () =>
    withLearning(async ({ call }) => {
      for (let n = 0; n < 10; n++) await call('record', outcome(n, { signature: 'kernel_crash' }));
      const asked = { signature: 'never seen', candidates: ['replace', 'unknown'], seed: 1 };
      const { expected, alternatives, playbook } = await call<Chosen>('choose', asked);
      const means = new Map([
        [playbook, expected.mean],
        ...alternatives.map((one) => [one.playbook, one.mean] as const),
      ]);
      assert.ok(means.get('replace')! > 0.8);
      assert.ok(Math.abs(means.get('unknown')! - 0.5) < 1e-9);
    }));

  test('is told to clarity_framework with its reasons, also when that comes later', async () => {
    const decisions: Record<string, unknown>[] = [];
    let isAway = true;
    const clarity = defineKernel({
      id: 'clarity_framework',
      start: () => ({
        verbs: {
          record(input: Record<string, unknown>) {
            if (isAway) throw new Error('not now');
            decisions.push(input);
            return {};
          },
        },
        probe: () => ({}),
      }),
    });
    await withLearning(
      async ({ call, rig, status }) => {
        const asked = { signature: 's', candidates: ['a', 'b'], incident: 'inc-1' };
        const { choice, playbook, why } = await call<Chosen>('choose', asked);
        assert.equal((await status()).decisionsUntold, 1);
        isAway = false;
        await rig.restart(ID);
        const [decision] = await poll('the decision', () => (decisions.length > 0 ? decisions : undefined));
        assert.equal(decision!['what'], `try the playbook ${playbook} against s`);
        assert.deepEqual([decision!['why'], decision!['key']], [why, choice]);
        assert.deepEqual(decision!['evidence'], { incidents: ['inc-1'] });
        assert.equal((decision!['alternatives'] as unknown[]).length, 1);
        await poll('nothing left to tell', async () => (await status()).decisionsUntold === 0);
      },
      { others: [clarity] },
    );
  });
});

describe('bad input is refused with a code and loses nothing', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const long = 'x'.repeat(100_000);
  const cases: [verb: string, input: unknown, code: string][] = [
    ['record', {}, 'BAD_INPUT'],
    ['record', [], 'BAD_INPUT'],
    ['record', circle, 'BAD_INPUT'],
    ['record', outcome(1, { outcome: 'heald' }), 'BAD_INPUT'],
    ['record', outcome(1, { tookMs: Number.NaN }), 'BAD_INPUT'],
    ['record', outcome(1, { tookMs: -1 }), 'BAD_INPUT'],
    ['record', outcome(1, { playbook: '../../etc/passwd' }), 'BAD_INPUT'],
    ['record', outcome(1, { playbook: 'probe heals' }), 'BAD_INPUT'],
    ['record', outcome(1, { signature: long }), 'BAD_INPUT'],
    ['record', outcome(1, { signature: 'a\u0000b' }), 'BAD_INPUT'],
    ['record', outcome(1, { key: circle }), 'BAD_INPUT'],
    ['record', outcome(1, { more: 1 }), 'BAD_INPUT'],
    ['choose', { signature: 's', candidates: [] }, 'BAD_INPUT'],
    ['choose', { signature: 's', candidates: ['a', 'a'] }, 'BAD_INPUT'],
    ['choose', { signature: 's', candidates: Array.from({ length: 51 }, (_, i) => `p${i}`) }, 'BAD_INPUT'],
    ['choose', { signature: 's', candidates: 'a' }, 'BAD_INPUT'],
    ['choose', { signature: 's', candidates: ['a', 'b'], seed: 0.5 }, 'BAD_INPUT'],
    ['choose', { signature: 's', candidates: ['a', 'b'], seed: 2 ** 32 }, 'BAD_INPUT'],
    ['statistics', { signature: 'kernel_hun' }, 'NOT_FOUND'],
    ['statistics', { playbook: "replace'; DROP TABLE outcome; --" }, 'BAD_INPUT'],
    ['statistics', { after: { signature: 's' } }, 'BAD_INPUT'],
    ['statistics', { limit: 1e9 }, 'BAD_INPUT'],
    ['drafts', { id: 'none' }, 'NOT_FOUND'],
    ['drafts', { id: 7 }, 'BAD_INPUT'],
    ['choices', { id: '../x' }, 'NOT_FOUND'],
    ['status', { x: 1 }, 'BAD_INPUT'],
  ];
  test('in every verb', () =>
    withLearning(async ({ call, status }) => {
      await call('record', outcome(0));
      for (const [verb, input, code] of cases) await assert.rejects(call(verb, input), { code }, `${verb} ${code}`);
      await assert.rejects(call('statistics', { signature: 'kernel_hun' }), /did you mean "kernel_hung"/);
      await assert.rejects(call('record', outcome(1, { outcome: 'heald' })), /did you mean "healed"/);
      assert.equal((await status()).outcomes.kept, 1);
      const hostile = "Robert'); DROP TABLE outcome; --";
      await call('record', outcome(1, { signature: hostile }));
      assert.deepEqual(counted(await call('statistics', { signature: hostile })), [[`${hostile} replace`, 1]]);
    }));
});

test('its grants are what it needs, and what is not granted is denied', async () => {
  const file = fileURLToPath(new URL('../../../../configs/acl.yaml', import.meta.url));
  const rig = await rigKernels([kernel], {
    acl: parseAcl(readFileSync(file, 'utf8'), file),
    commands: supervisorOf([]),
  });
  try {
    const listening = async (): Promise<boolean> =>
      ((await rig.call(ID, 'status')) as { hearing: { listening: boolean } }).hearing.listening;
    await poll('it may hear all it listens to', listening);
    const own = rig.bus(ID);
    for (const granted of ['kernel.self_healing.call.history', 'kernel.clarity_framework.call.record'])
      await assert.rejects(own.request(granted, {}), { code: 'BUS_NO_RESPONDERS' });
    for (const denied of [
      'kernel.self_healing.call.run',
      'kernel.message_bus.call.mute',
      'kernel.governance.call.approve',
      'task.x',
      'audit.immutable_log',
    ])
      await assert.rejects(own.publish(denied, {}), { code: 'BUS_DENIED' }, denied);
    await assert.rejects(
      own.subscribe('task.>', () => {}),
      { code: 'BUS_DENIED' },
    );
    for (const verb of ['choose', 'record'])
      await assert.rejects(rig.bus('self_healing').request(`kernel.${ID}.call.${verb}`, {}), { code: 'BAD_INPUT' });
    await assert.rejects(rig.bus('librarian').request(`kernel.${ID}.call.record`, {}), { code: 'BUS_DENIED' });
  } finally {
    await rig.close();
  }
});
