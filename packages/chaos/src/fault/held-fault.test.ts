import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FaultLease, GraceError } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { type StandIn, standIn } from '../../test/control-stand-in.ts';
import { createRecorder } from '../journal/recorder.ts';
import { injectHeld } from './held-fault.ts';
import type { Injection } from './injection.ts';
import { listLeases } from './lease-file.ts';

const lease = (kind: FaultLease['kind'], ttlMs = 90): FaultLease => ({
  id: 'r1.t1',
  kind,
  target: 'scheduler',
  incarnation: 1,
  durationMs: 60_000,
  ttlMs,
  correlation: 'c1',
  permit: 'p1',
  params: {},
});

function inject(system: StandIn, order: FaultLease): Promise<Injection> {
  const { client: control, home } = system;
  return injectHeld({ control, recorder: createRecorder(control), home, run: 'r1', actorEntry: '' }, order);
}

describe('a fault that its target holds', () => {
  test('is on disk and in the journal before it is injected', async () => {
    const system = await standIn();
    const seen: unknown[] = [];
    system.answers['fault.apply'] = () => {
      seen.push(
        listLeases(system.home).map(({ id }) => id),
        system.journal.map(({ name }) => name),
      );
      return { appliedMono: 7 };
    };
    system.answers['fault.renew'] = () => ({ active: true });
    system.answers['fault.undo'] = () => ({ verified: true });
    try {
      const injection = await inject(system, lease('cpu_spin'));
      assert.deepEqual(seen, [['r1.t1'], ['fault:lease']]);
      assert.equal(injection.actingMono(), 7);
      await poll('it is renewed', () => system.asked.filter(({ method }) => method === 'fault.renew').length >= 3);
      assert.deepEqual(await injection.undo(), { verified: true });
      assert.deepEqual(listLeases(system.home), []);
    } finally {
      await system.close();
    }
  });

  test('counts as undone only when no target lists it any more', async () => {
    const system = await standIn({
      'fault.apply': () => ({ appliedMono: 7 }),
      'fault.renew': () => ({ active: true }),
      'fault.undo': () => ({ verified: true }),
      'fault.list': () => [{ id: 'r1.t1', kind: 'cpu_spin', target: 'scheduler', untilMono: 1 }],
    });
    try {
      const injection = await inject(system, lease('cpu_spin'));
      assert.deepEqual(await injection.undo(), { verified: false });
      assert.equal(listLeases(system.home).length, 1);
      system.answers['fault.list'] = () => {
        throw new GraceError('INTERNAL');
      };
      assert.deepEqual(await injection.undo(), { verified: false });
    } finally {
      await system.close();
    }
  });

  test('a target that is gone is the answer of a deadly fault, and a failure of any other', async () => {
    const system = await standIn({
      'fault.apply': () => {
        throw new GraceError('KERNEL_GONE');
      },
      'fault.undo': () => ({ verified: true }),
    });
    try {
      const deadly = await inject(system, lease('process_exit', 60_000));
      assert.equal(deadly.actingMono(), null);
      await deadly.undo();
      await assert.rejects(inject(system, lease('heartbeat_pause')), { code: 'KERNEL_GONE' });
      assert.deepEqual(listLeases(system.home), []);
    } finally {
      await system.close();
    }
  });

  test('is over when the target says that it does not hold it any more', async () => {
    const system = await standIn({
      'fault.apply': () => ({ appliedMono: 7 }),
      'fault.renew': () => ({ active: false }),
      'fault.undo': () => ({ verified: true }),
    });
    try {
      const injection = await inject(system, lease('heartbeat_pause'));
      await poll('it is over', () => injection.isOver());
      await injection.undo();
    } finally {
      await system.close();
    }
  });
});
