import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { ID, policies, shopFact, withVerification } from '../fixtures/bench.ts';
import { createRunJournal } from './journal.ts';
import type { ContractResult } from './perform.ts';

describe('a contract', () => {
  const pre = [{ facts: shopFact, expect: 'shop.stock >= input.n' }];
  const post = [{ facts: shopFact, expect: 'before.shop.stock - input.n == shop.stock' }];
  const sell = (n: number, more: object = {}) => ({
    pre,
    action: { kernel: 'shop', verb: 'sell', input: { n } },
    post,
    ...more,
  });
  const refill = { kernel: 'shop', verb: 'refill', input: { n: 2 } };

  test('whose conditions hold is kept, and says so', () =>
    withVerification(async ({ call, rig, as, shop }) => {
      const news: object[] = [];
      await rig.bus('ear').subscribe(`kernel.${ID}.event.contract`, ({ payload }) => void news.push(payload as object));
      const result = await as<ContractResult>('cli', 'around', sell(2));
      assert.deepEqual([result.outcome, result.action?.answer, result.compensation], ['kept', { sold: 2 }, null]);
      assert.equal(shop.stock, 3);
      await poll('the news', () => news.length > 0);
      const reason = 'it was done, and all is as it must be after it';
      assert.deepEqual(news[0], { id: result.id, kernel: 'shop', verb: 'sell', by: 'cli', outcome: 'kept', reason });
      const [run] = await call<{ outcome: string; by: string }[]>('runs');
      assert.deepEqual([run!.outcome, run!.by], ['kept', 'cli']);
    }));

  test('whose pre-condition is broken or cannot be told leaves everything as it is', () =>
    withVerification(async ({ call, shop }) => {
      assert.equal((await call<ContractResult>('around', sell(6))).outcome, 'not_done');
      shop.failing = true;
      const { outcome, pre: checked } = await call<ContractResult>('around', sell(1));
      assert.deepEqual([outcome, checked.verdict, shop.asked], ['not_done', 'unknown', []]);
    }));

  const wrong = [{ facts: shopFact, expect: 'shop.stock == 100' }];
  const untold = [{ facts: shopFact, expect: 'shop.absent == 100' }];
  const cases: [string, object, string, string[]][] = [
    ['a broken post-condition', sell(2, { post: wrong, compensate: refill }), 'broken', ['sell 2', 'refill 2']],
    ['a post-condition that cannot be told', sell(2, { post: untold, compensate: refill }), 'unknown', ['sell 2']],
    [
      'one that cannot be told where that was asked for',
      sell(2, { post: untold, compensate: { ...refill, on: ['unknown'] } }),
      'unknown',
      ['sell 2', 'refill 2'],
    ],
    [
      'a verb that fails half-way',
      sell(2, { action: { kernel: 'shop', verb: 'steal', input: { n: 2 } }, compensate: refill }),
      'failed',
      ['steal 2', 'refill 2'],
    ],
    [
      'a verb that is not there',
      sell(2, { action: { kernel: 'shop', verb: 'stel', input: { n: 2 } }, compensate: refill }),
      'failed',
      [],
    ],
    [
      'a kernel that is not there',
      sell(2, { action: { kernel: 'ship', verb: 'x', input: { n: 2 } }, compensate: refill }),
      'failed',
      [],
    ],
  ];
  for (const [what, input, outcome, deeds] of cases)
    test(`with ${what} ends ${outcome}${deeds.length > 1 ? ' and is taken back' : ''}`, () =>
      withVerification(async ({ call, shop }) => {
        const result = await call<ContractResult>('around', input);
        assert.deepEqual([result.outcome, shop.asked], [outcome, deeds]);
        assert.equal(result.compensation?.ok ?? false, deeds.length > 1);
      }));

  for (const [outcome, code] of [
    ['forbid', 'FORBIDDEN'],
    ['needs_approval', 'APPROVAL_NEEDED'],
  ] as const) {
    const { definition, asked } = policies(({ resource }) => (resource === 'shop.refill' ? outcome : 'permit'));
    test(`whose compensation governance answers with ${outcome} is not begun`, () =>
      withVerification(
        async ({ as, call, shop }) => {
          await assert.rejects(as('librarian', 'around', sell(1, { compensate: refill })), { code });
          assert.deepEqual(shop.asked, []);
          assert.deepEqual(
            asked.map(({ resource, principal }) => [resource, principal]),
            [
              ['shop.sell', 'librarian'],
              ['shop.refill', 'librarian'],
            ],
          );
          assert.equal((await call<{ outcome: string }[]>('runs'))[0]!.outcome, 'refused');
        },
        { governance: definition },
      ));
  }

  test('is not begun while governance cannot be asked', () =>
    withVerification(
      async ({ call, shop }) => {
        await assert.rejects(call('around', sell(1)), { code: 'GOVERNANCE_UNREACHABLE' });
        assert.deepEqual(shop.asked, []);
      },
      { governance: null },
    ));

  test('that kill -9 ends in the middle is found open, and is not called well', async () => {
    const fixture = fileURLToPath(new URL('../fixtures/acts-and-waits.ts', import.meta.url));
    const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const home = line.toString().trim();
    child.kill('SIGKILL');
    await ended;
    const store = createStore(join(home, ID));
    try {
      const journal = createRunJournal(store);
      assert.equal(journal.interrupted(Date.now()), 1);
      const [run] = journal.list(10);
      assert.deepEqual([run!.verb, run!.outcome, run!.phase], ['wait', 'unknown', 'over']);
    } finally {
      store.close();
      rmSync(home, { recursive: true, force: true });
    }
  });
});
