import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { newest, type Proposed, proposalOf, withMeta } from '../fixtures/meta-rig.ts';
import { hangs, regression } from '../fixtures/records.ts';
import kernel from '../kernel.ts';
import type { Experiment } from './experiment.ts';

const HOUR_MS = 3_600_000;

describe('a proposal', () => {
  test('is tried after permission, watched, and kept when it helps; all of it is told to others', () => {
    const journal = regression();
    const clock = { offsetMs: 0 };
    return withMeta({ journal, clock, config: { evaluateMs: 200 } }, async (rig) => {
      const audit: { action: string }[] = [];
      await rig.bus('immutable_log').subscribe('audit.meta_loop', ({ payload }) => void audit.push(payload as never));
      const experiment = await rig.ask<Experiment>('apply', { proposal: await proposalOf(rig) });
      assert.deepEqual([experiment.state, experiment.decision, experiment.baseline.length], ['watching', 'dec-1', 20]);
      assert.deepEqual(rig.turned, ['a probe.intervalMs 4000 -> 2000']);
      const { action, resource, context } = rig.asked[0]!;
      assert.deepEqual(
        [action, resource, context],
        ['tune', 'probe_interval:a', { kernel: 'a', from: '4000', to: '2000' }],
      );
      for (let i = 0; i < 6; i++) {
        journal.pass(HOUR_MS);
        hangs(journal, 'a', 100, i);
      }
      clock.offsetMs = 24 * HOUR_MS;
      await rig.restart('meta_loop');
      await poll('it is kept', async () => (await newest(rig)).state === 'kept');
      assert.match((await newest(rig)).why, /it became better: median 6\d\d/);
      assert.deepEqual(rig.turned.length, 1);
      // At least once: each has a key by which it counts once.
      const keys = () => new Set(rig.decisions.map((decision) => decision['key']));
      const actions = () => [...new Set(audit.map((entry) => entry.action))];
      await poll('all is told', () => keys().size === 2 && actions().length === 2);
      assert.deepEqual(actions(), ['tune.turned', 'tune.ended']);
      assert.ok((rig.decisions[0]!['alternatives'] as object[]).length >= 2);
    });
  });

  test('that makes things worse is rolled back by itself', () => {
    const journal = regression();
    const clock = { offsetMs: 0 };
    return withMeta({ journal, clock, config: { evaluateMs: 200 } }, async (rig) => {
      await rig.ask('apply', { proposal: await proposalOf(rig) });
      for (let i = 0; i < 6; i++) {
        journal.pass(HOUR_MS);
        hangs(journal, 'a', 1800, i);
      }
      clock.offsetMs = 20 * HOUR_MS;
      await poll('it is taken back', async () => (await newest(rig)).state === 'rolled_back');
      assert.match((await newest(rig)).why, /it became worse/);
      assert.deepEqual(rig.turned, ['a probe.intervalMs 4000 -> 2000', 'a probe.intervalMs 2000 -> 4000']);
    });
  });

  test('whose effect nobody sees in its time is rolled back', () => {
    const clock = { offsetMs: 0 };
    return withMeta({ journal: regression(), clock, config: { evaluateMs: 200 } }, async (rig) => {
      await rig.ask('apply', { proposal: await proposalOf(rig) });
      clock.offsetMs = 25 * HOUR_MS;
      await poll('it is taken back', async () => (await newest(rig)).state === 'rolled_back');
      assert.match((await newest(rig)).why, /too few to show an improvement/);
      assert.equal(rig.knobs.get('a probe.intervalMs'), 4000);
    });
  });

  for (const [outcome, code] of [
    ['forbid', 'FORBIDDEN'],
    ['needs_approval', 'APPROVAL_NEEDED'],
    [null, 'GOVERNANCE_UNREACHABLE'],
  ] as const) {
    test(`is not tried when governance says ${outcome ?? 'nothing'}`, () =>
      withMeta({ journal: regression(), config: { automatic: true, evaluateMs: 200 } }, async (rig) => {
        rig.say(outcome);
        const id = await proposalOf(rig);
        await assert.rejects(rig.ask('apply', { proposal: id }), { code });
        await poll('it says why', async () =>
          (await rig.ask<Proposed>('proposals')).proposals[0]?.held?.startsWith(code),
        );
        assert.deepEqual([rig.turned, (await rig.ask<{ experiments: [] }>('history')).experiments], [[], []]);
      }));
  }

  test('is tried by itself when policies permit it, and only one at a time', () =>
    withMeta({ journal: regression(), config: { automatic: true, evaluateMs: 200 } }, async (rig) => {
      await poll('it is tried', () => rig.turned.length > 0);
      const { id, by } = await newest(rig);
      assert.equal(by, 'meta_loop');
      const rounds = async () => (await rig.ask<{ evaluations: [] }>('history')).evaluations.length;
      const before = await rounds();
      await poll('it has looked again', async () => (await rounds()) >= before + 2);
      assert.equal(rig.turned.length, 1);
      assert.equal((await newest(rig)).id, id);
    }));

  test('is refused while another one with its knob is under way, in its cool-down, and above the number of a day', () => {
    const journal = regression();
    return withMeta({ journal, config: { perDay: 2, coolDownMs: HOUR_MS } }, async (rig) => {
      const proposal = await proposalOf(rig);
      const both = await Promise.allSettled([rig.ask('apply', { proposal }), rig.ask('apply', { proposal })]);
      assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      assert.equal(rig.asked.length, 1, 'only one of them came as far as asking');
      await assert.rejects(rig.ask('apply', { proposal }), { code: 'CONFLICT', message: /is being tried already/ });
      const { id } = await newest(rig);
      await rig.ask('rollback', { experiment: id, reason: 'a test' });
      assert.equal(rig.knobs.get('a probe.intervalMs'), 4000);
      await assert.rejects(rig.ask('apply', { proposal }), { code: 'CONFLICT', message: /was tried before.*again in/ });
      await assert.rejects(rig.ask('rollback', { experiment: id }), {
        code: 'CONFLICT',
        message: /nothing to take back/,
      });
    });
  });

  test('for a value that is another one by now is refused, and a knob somebody else has turned is left to them', () => {
    const clock = { offsetMs: 0 };
    return withMeta({ journal: regression(), clock, config: { evaluateMs: 200 } }, async (rig) => {
      const proposal = await proposalOf(rig);
      rig.knobs.set('a probe.intervalMs', 3000);
      await assert.rejects(rig.ask('apply', { proposal }), { code: 'CONFLICT', message: /reads 3000 now/ });
      rig.knobs.set('a probe.intervalMs', 4000);
      await rig.ask('apply', { proposal });
      rig.knobs.set('a probe.intervalMs', 1234);
      await poll('it is noticed', async () => (await newest(rig)).state === 'overridden');
      assert.equal(rig.knobs.get('a probe.intervalMs'), 1234);
    });
  });

  test('whose knob is not there any more ends, and one whose holder does not answer goes on', () => {
    let away = false;
    const config = { evaluateMs: 200 };
    return withMeta({ journal: regression(), away: () => away, config }, async (rig) => {
      await rig.ask('apply', { proposal: await proposalOf(rig) });
      away = true;
      await poll('it has looked', () =>
        rig.logs.some(({ message }) => message === 'an experiment could not be looked at'),
      );
      assert.equal((await newest(rig)).state, 'watching');
      away = false;
      rig.knobs.set('a probe.intervalMs', Number.NaN);
      await poll('it has ended', async () => (await newest(rig)).state === 'overridden');
    });
  });
});

describe('kill -9', () => {
  for (const [where, state, value] of [
    ['before', 'abandoned', 4000],
    ['after', 'watching', 2000],
    ['back', 'rolled_back', 2000],
  ] as const) {
    const when = where === 'back' ? 'before the knob was turned back' : `${where} the knob was turned`;
    test(`${when} leaves an experiment that is ${state}`, async () => {
      const fixture = fileURLToPath(new URL('../fixtures/turns-until-killed.ts', import.meta.url));
      const child = spawn(process.execPath, [fixture, where], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      const told = await Promise.race([
        once(child.stdout, 'data'),
        ended.then(() => assert.fail('it ended by itself')),
      ]);
      const home = (told as [Buffer])[0].toString().trim();
      child.kill('SIGKILL');
      await ended;
      const store = createStore(join(home, 'meta_loop'));
      const knobs = new Map([['a probe.intervalMs', value]]);
      const definition = {
        ...kernel,
        start: (ctx: Parameters<typeof kernel.start>[0]) => kernel.start({ ...ctx, store }),
      };
      try {
        await withMeta({ journal: regression(), knobs, definition, config: { evaluateMs: 200 } }, async (rig) => {
          const { proposal } = await newest(rig);
          await poll('it has looked', async () => (await newest(rig)).state === state);
          assert.equal(proposal.knob, 'probe_interval');
          assert.deepEqual(rig.turned, where === 'back' ? ['a probe.intervalMs 2000 -> 4000'] : []);
          if (state !== 'watching') return;
          await rig.ask('rollback', { experiment: (await newest(rig)).id });
          assert.deepEqual(rig.turned, ['a probe.intervalMs 2000 -> 4000']);
        });
      } finally {
        store.close();
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
