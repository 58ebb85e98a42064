import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { deserialize } from 'node:v8';
import { defineKernel, type KernelContext } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import { permitsAll } from '../fixtures/permits-all.ts';
import kernel from '../kernel.ts';
import { type Intention, messageId } from './intention.ts';

/** The kernel, with a look at each message that it is about to publish. */
async function withMesh(
  onPublish: (ctx: KernelContext, subject: string, id: string | undefined) => void,
  work: (rig: KernelRig, ctx: KernelContext) => Promise<void>,
): Promise<void> {
  let inside: KernelContext | undefined;
  const watched = defineKernel({
    id: kernel.id,
    start: (ctx) => {
      inside = ctx;
      const publish = ctx.bus.publish.bind(ctx.bus);
      ctx.bus.publish = (subject, payload, options) => {
        onPublish(ctx, subject, options?.id);
        return publish(subject, payload, options);
      };
      return kernel.start(ctx);
    },
  });
  const rig = await rigKernels([permitsAll, watched]);
  try {
    await rig.call('trigger_mesh', 'define', {
      id: 'pass_on',
      on: 'door.*',
      do: [{ publish: { subject: 'light.on', payload: { of: '{{id}}' } } }],
    });
    await work(rig, inside!);
  } finally {
    await rig.close();
  }
}

/** Firings that another process would find on disk now, if this one died. */
function onDisk(path: string): Set<string> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = db.prepare('SELECT intention FROM intended').all() as { intention: Uint8Array }[];
    const intentions = rows.map(({ intention }) => deserialize(intention) as Intention);
    return new Set(intentions.flatMap((one) => one.deeds.map((_, i) => messageId(one, i))));
  } finally {
    db.close();
  }
}

describe('a firing', () => {
  test('is on disk when its first action begins', async () => {
    const begun: { id: string | undefined; isOnDisk: boolean }[] = [];
    await withMesh(
      ({ store }, subject, id) => {
        if (subject === 'light.on') begun.push({ id, isOnDisk: onDisk(store.path).has(id ?? '') });
      },
      async (rig) => {
        const door = rig.bus('door');
        for (let i = 0; i < 20; i++) await door.publish(`door.${i}`, {});
        await poll('all have fired', () => begun.length === 20, { deadlineMs: 30_000 });
      },
    );
    assert.deepEqual(
      begun.filter(({ isOnDisk }) => !isOnDisk),
      [],
    );
  });

  test('that the disk does not take is not carried out', async () => {
    const published: string[] = [];
    await withMesh(
      (_ctx, subject) => {
        if (subject === 'light.on') published.push(subject);
      },
      async (rig, { store }) => {
        store.db.exec("CREATE TRIGGER full BEFORE INSERT ON intended BEGIN SELECT RAISE(ABORT, 'full'); END");
        const door = rig.bus('door');
        await door.publish('door.one', {});
        const rule = async () => {
          const [shown] = (await rig.call('trigger_mesh', 'rules', { id: 'pass_on' })) as {
            lastError: string | null;
          }[];
          return shown?.lastError;
        };
        await poll(
          'it is said',
          async () => published.length > 0 || (await rule())?.includes('could not be put on record'),
          {
            deadlineMs: 30_000,
          },
        );
        assert.deepEqual(published, []);
        store.db.exec('DROP TRIGGER full');
        await door.publish('door.two', {});
        await poll('the next one fires', () => published.length > 0, { deadlineMs: 30_000 });
        assert.deepEqual(published, ['light.on']);
      },
    );
  });
});
