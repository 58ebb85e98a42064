import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type FaultKind, type FaultLease, GraceError } from '@grace/contracts';
import { type StandIn, standIn } from '../../test/control-stand-in.ts';
import { segmentBytes } from '../../test/segment-bytes.ts';
import { cleanUp, sweepLeases } from '../cleanup.ts';
import { damageRecord } from '../damage/record-damage.ts';
import { keepFolder, listLeases, writeLease } from './lease-file.ts';
import { clearResidue } from './residue.ts';

const lease = (kind: FaultKind, id = 'r1.x', params = {}): FaultLease => ({
  ...{ id, kind, target: 'flood_test', incarnation: 0, durationMs: 1, ttlMs: 1, correlation: 'c', permit: 'p' },
  params,
});

async function withSystem(answers: StandIn['answers'], run: (system: StandIn) => Promise<void>): Promise<void> {
  const system = await standIn({ 'fault.undo': () => ({ verified: true }), ...answers });
  try {
    await run(system);
  } finally {
    await system.close();
  }
}

/** A broker that knows these consumers, and forgets them when it is told to. */
function withConsumers(names: string[]): StandIn['answers'] {
  return {
    call: ({ verb, input }) => {
      if (verb === 'consumers') return names.map((name) => ({ name }));
      names.splice(names.indexOf((input as { consumer: string }).consumer), 1);
      return { removed: true };
    },
  };
}

/** A ledger that an actor damaged before it was killed; its lease still stands on the disk. */
function damaged(home: string, id: string) {
  const folder = join(home, 'ledger');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, '0000000000000001.segment');
  const { bytes } = segmentBytes(30);
  writeFileSync(path, bytes);
  writeLease(home, { lease: lease('log_damage', id), run: 'r1', pid: null });
  damageRecord(folder, 'remove', keepFolder(home, id));
  assert.notDeepEqual(readFileSync(path), bytes);
  return { bytes, read: () => readFileSync(path) };
}

describe('what a killed actor leaves', () => {
  test('is the consumer of its flood, which is taken off the bus, and no other', async () => {
    const names = ['librarian/tasks', 'flood_consumer/drill'];
    await withSystem(withConsumers(names), async ({ client, home }) => {
      const flood = lease('topic_flood', 'r1.x', { consumer: 'flood_consumer' });
      assert.equal(await clearResidue(client, home, flood), true);
      assert.deepEqual(names, ['librarian/tasks']);
      assert.equal(await clearResidue(client, home, flood), true);
    });
  });

  test('counts as left when the broker cannot be asked, and not when it keeps nothing', async () => {
    const flood = lease('topic_flood', 'r1.x', { consumer: 'flood_consumer' });
    for (const [code, isClear] of [
      ['KERNEL_NOT_RUNNING', false],
      ['UNKNOWN_VERB', true],
    ] as const) {
      await withSystem({ call: () => Promise.reject(new GraceError(code)) }, async ({ client, home }) => {
        assert.equal(await clearResidue(client, home, flood), isClear, code);
      });
    }
  });

  test('is damage to the record, which is put back at the end of the run', async () => {
    await withSystem({}, async ({ client, home }) => {
      const { bytes, read } = damaged(home, 'r1.x');
      assert.deepEqual(await cleanUp(client, home, 'r1'), { ok: true, left: [] });
      assert.deepEqual(read(), bytes);
      assert.deepEqual(listLeases(home), []);
    });
  });

  test('is put back by the next run when the runner was killed too', async () => {
    await withSystem({}, async ({ client, home }) => {
      const { bytes, read } = damaged(home, 'r0.x');
      const [found] = await sweepLeases(client, home);
      assert.match(found!, /a lease of an earlier run was found: log_damage/);
      assert.deepEqual(read(), bytes);
      assert.deepEqual(listLeases(home), []);
    });
  });

  test('is named when it cannot be taken away', async () => {
    await withSystem({ call: () => Promise.reject(new GraceError('DEADLINE')) }, async ({ client, home }) => {
      writeLease(home, { lease: lease('topic_flood', 'r1.y', { consumer: 'c' }), run: 'r1', pid: null });
      const { ok, left } = await cleanUp(client, home, 'r1');
      assert.deepEqual([ok, left], [false, ['what topic_flood left on flood_test']]);
    });
  });
});
