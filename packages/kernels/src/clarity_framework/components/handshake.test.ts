import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { answering, ID, withClarity } from '../fixtures/bench.ts';
import { journal } from '../fixtures/records.ts';

describe('a handshake', () => {
  const ready = (...ids: string[]): AnyRecord[] => {
    const write = journal();
    return ids.map((id) =>
      write('kernel:ready', { readyMs: 5, probe: {} }, { kernel: id, cell: 'work', incarnation: 1 }),
    );
  };

  test('is accepted when all that is needed is registered and has acknowledged, and survives a restart', () =>
    withClarity(
      async ({ rig, call, as, heard }) => {
        await heard(ready('librarian'));
        const announced = {
          id: 'reader',
          version: '1.2',
          needs: ['librarian'],
          offers: ['read'],
          manifest: { owner: 'docs' },
        };
        assert.deepEqual(await as('desk', 'register', announced), {
          id: 'reader',
          standing: 'announced',
          changed: true,
        });
        const shaken = await as<Record<string, unknown>>('desk', 'handshake', { id: 'reader', version: '1.2' });
        assert.equal(shaken['accepted'], true, String(shaken['reason']));
        assert.equal((await as<Record<string, unknown>>('desk', 'register', announced))['changed'], false);
        await rig.restart(ID);
        const [reader] = await call<{ standing: string; by: string }[]>('components', { id: 'reader' });
        assert.deepEqual([reader!.standing, reader!.by], ['accepted', 'desk']);
      },
      { others: [answering('librarian')] },
    ));

  const refusals: [string, Record<string, unknown>, string, RegExp][] = [
    [
      'a need is not registered',
      { needs: ['libraryan'] },
      '1',
      /^libraryan is not registered \(did you mean "librarian"\?\)$/,
    ],
    ['a need does not answer', { needs: ['scheduler'] }, '1', /^scheduler has not acknowledged: BUS_NO_RESPONDERS/],
    ['a need is down', { needs: ['sandbox'] }, '1', /^sandbox is backoff, not running$/],
    ['its version is another', {}, '2', /announced version 1 and shakes hands as version 2/],
    ['needs are a circle', { needs: ['circle'] }, '1', /circle needs reader in its turn: a circle/],
  ];
  for (const [what, more, version, reason] of refusals) {
    test(`is refused when ${what}, and says so`, () =>
      withClarity(
        async ({ as, heard }) => {
          const down = journal()('kernel:state', { from: 'running', to: 'backoff', reason: '' }, { kernel: 'sandbox' });
          await heard([...ready('librarian', 'scheduler'), { ...down, seq: 9 }]);
          await as('desk', 'register', { id: 'circle', version: '1', needs: ['reader'] });
          await as('desk', 'register', { id: 'reader', version: '1', ...more });
          const shaken = await as<{ accepted: boolean; reason: string }>('desk', 'handshake', {
            id: 'reader',
            version,
          });
          assert.equal(shaken.accepted, false);
          assert.match(shaken.reason, reason);
        },
        { others: [answering('librarian'), answering('sandbox')] },
      ));
  }

  test('nobody speaks for the component of another, and kernels register themselves', () =>
    withClarity(async ({ as, heard }) => {
      await heard(ready('librarian'));
      await as('desk', 'register', { id: 'reader', version: '1' });
      for (const [verb, input] of [
        ['register', { id: 'reader', version: '2' }],
        ['handshake', { id: 'reader', version: '1' }],
        ['withdraw', { id: 'reader' }],
      ] as const)
        await assert.rejects(as('intruder', verb, input), { code: 'FORBIDDEN' });
      await assert.rejects(as('desk', 'register', { id: 'librarian', version: '1' }), { code: 'CONFLICT' });
      await as('desk', 'withdraw', { id: 'reader' });
      await assert.rejects(as('desk', 'handshake', { id: 'reader', version: '1' }), { code: 'NOT_FOUND' });
    }));
});
