import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createStore } from '@grace/kernel-sdk';
import fc from 'fast-check';
import { TABLES } from '../record/tables.ts';
import { type ApprovalState, createApprovals } from './approvals.ts';

const folder = mkdtempSync(join(tmpdir(), 'grace-approvals-'));
const store = createStore(folder);
store.migrate(TABLES);
after(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const step = fc.oneof(
  fc.record({
    do: fc.constant('request' as const),
    what: fc.constantFrom('a', 'b', 'c'),
    forMs: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({
    do: fc.constantFrom('approve' as const, 'deny' as const, 'use' as const),
    what: fc.constantFrom('a', 'b', 'c'),
    forMs: fc.integer({ min: 1, max: 50 }),
    single: fc.boolean(),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40 }) }),
  fc.record({ do: fc.constant('restart' as const) }),
);

test('whatever happens in between, an approval ends once, in one way, and never permits after its time', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      // Rolled back in the end: each schedule begins with an empty table.
      store.db.exec('BEGIN');
      try {
        let approvals = createApprovals(store);
        let nowMs = 1000;
        const ended = new Map<string, ApprovalState>();
        const end = (id: string, state: ApprovalState): void => {
          assert.equal(ended.get(id), undefined, `${id} ended as ${ended.get(id)} and again as ${state}`);
          ended.set(id, state);
        };
        const expire = (): void => {
          for (const { id, untilMs } of approvals.expire(nowMs)) {
            assert.ok(untilMs <= nowMs);
            end(id, 'expired');
          }
        };
        for (const one of steps) {
          if (one.do === 'wait') nowMs += one.ms;
          if (one.do === 'restart') approvals = createApprovals(store);
          expire();
          if (!('what' in one)) continue;
          const open = approvals.open(one.what, nowMs);
          if (one.do === 'request') {
            const question = { principal: 'p', action: 'x', resource: one.what, context: {} };
            const about = { asker: 'p', reason: '', untilMs: nowMs + one.forMs };
            const { approval, isNew } = approvals.request(question, one.what, about, nowMs);
            assert.equal(isNew, open === undefined);
            assert.equal(ended.has(approval.id), false);
          } else if (one.do === 'approve' && open?.state === 'pending') {
            approvals.approve(
              open.id,
              { principal: 'q', note: null, single: one.single, untilMs: nowMs + one.forMs },
              nowMs,
            );
          } else if (one.do === 'deny' && open) {
            approvals.deny(open.id, { principal: 'q', note: null }, nowMs);
            end(open.id, 'denied');
          } else if (one.do === 'use' && open?.state === 'approved') {
            assert.ok(open.untilMs > nowMs);
            if (approvals.use(open.id).state === 'used') end(open.id, 'used');
          }
        }
        nowMs += 1000;
        expire();
        const all = approvals.list(undefined, 1000);
        assert.deepEqual(new Map(all.map(({ id, state }) => [id, state])), ended);
        assert.equal(approvals.due(nowMs), false);
      } finally {
        store.db.exec('ROLLBACK');
      }
    }),
    { numRuns: 200 },
  );
});
