import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FloodAccount } from './flood-account.ts';

describe('the account of a flood', () => {
  test('what is owed is what was accepted and not handled, in whatever order the two are told', () => {
    const event = fc.record({ number: fc.nat(20), what: fc.constantFrom('accepted', 'handled') });
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const account = new FloodAccount();
        const told = { accepted: new Set<number>(), handled: new Set<number>() };
        for (const { number, what } of events) {
          const isNew = !told[what as 'accepted' | 'handled'].has(number);
          told[what as 'accepted' | 'handled'].add(number);
          if (what === 'handled') account.handled(number);
          else if (isNew) account.accepted(number);
        }
        const owed = [...told.accepted].filter((number) => !told.handled.has(number)).length;
        assert.equal(account.counts()['unhandled'], owed);
        assert.equal(account.isSettled, owed === 0);
      }),
    );
  });

  test('a message that is brought again is handled once, and told', () => {
    const account = new FloodAccount();
    account.accepted(1);
    for (let i = 0; i < 3; i++) account.handled(1);
    const { accepted, handled, repeated, unhandled } = account.counts();
    assert.deepEqual(
      { accepted, handled, repeated, unhandled },
      { accepted: 1, handled: 1, repeated: 2, unhandled: 0 },
    );
  });

  test('an unanswered publish keeps it open', () => {
    const account = new FloodAccount();
    account.open++;
    assert.equal(account.isSettled, false);
  });
});
