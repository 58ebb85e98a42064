import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { createNotifier, type NotifierParts } from './notifier.ts';
import type { Standing } from './standing.ts';

/** A notifier whose messages go where the test says. */
function rig(send: NotifierParts['send'], watchdogMs: number | null = null) {
  const world = { now: 0, standing: { phase: 'booting', ready: 0, total: 2, down: [] } as Standing };
  const failures: string[] = [];
  const notifier = createNotifier({
    send,
    watchdogMs,
    now: () => world.now,
    standing: () => world.standing,
    failed: ({ message }) => failures.push(message),
  });
  return { world, failures, notifier };
}

describe('messages to a service manager', () => {
  test('are on their way one at a time; what comes meanwhile is one message with the newest of each kind', async () => {
    const sent: string[][] = [];
    let release = (): void => {};
    let atOnce = 0;
    let most = 0;
    const { world, notifier } = rig(async (assignments) => {
      sent.push([...assignments]);
      most = Math.max(most, ++atOnce);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      atOnce--;
    }, 2000);
    notifier.beat();
    for (let ready = 0; ready < 50; ready++) {
      world.now += 1500;
      world.standing = { phase: 'running', ready, total: 50, down: [] };
      notifier.beat();
    }
    assert.equal(sent.length, 1);
    release();
    await poll('the second message', () => sent.length === 2);
    assert.deepEqual(sent[1]!.toSorted(), ['READY=1', 'STATUS=49 of 50 kernels ready', 'WATCHDOG=1']);
    release();
    await poll('nothing is under way', () => atOnce === 0);
    assert.equal(most, 1);
    await notifier.close();
  });

  test('that fail are noted once and change nothing: the next one is tried', async () => {
    let tries = 0;
    const { world, failures, notifier } = rig(async () => {
      tries++;
      throw new Error('nobody reads');
    }, 2000);
    for (let n = 1; n <= 3; n++) {
      world.now += 2000;
      notifier.beat();
      await poll('it was tried', () => tries === n);
    }
    assert.deepEqual(failures, ['nobody reads']);
    await notifier.close();
  });

  test('are not tried again where the program is not there', async () => {
    let tries = 0;
    const { world, failures, notifier } = rig(async () => {
      tries++;
      throw new Error('spawn systemd-notify ENOENT', { cause: Object.assign(new Error(), { code: 'ENOENT' }) });
    }, 2000);
    notifier.beat();
    await poll('it was tried', () => failures.length === 1);
    world.now += 5000;
    notifier.beat();
    await notifier.close();
    assert.equal(tries, 1);
  });

  test('still to be sent at the end are sent; one that hangs does not hold the end up', async () => {
    const sent: string[][] = [];
    const quick = rig(async (assignments) => {
      await new Promise((resolve) => setImmediate(resolve));
      sent.push([...assignments]);
    });
    quick.world.standing = { phase: 'running', ready: 2, total: 2, down: [] };
    quick.notifier.look();
    quick.world.standing = { phase: 'stopping', ready: 2, total: 2, down: [] };
    quick.notifier.look();
    await quick.notifier.close();
    assert.ok(sent.flat().includes('READY=1') && sent.flat().includes('STOPPING=1'), String(sent));
    quick.notifier.beat();
    assert.ok(sent.length <= 2);

    const hanging = rig(() => new Promise(() => {}));
    hanging.notifier.look();
    await hanging.notifier.close();
  });
});
