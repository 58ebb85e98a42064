import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { type Bed, type Status, withBed } from '../fixtures/bed.ts';
import { createQueue } from './queue.ts';

const PATIENT = { deadlineMs: 30_000 };
const places = async ({ rig }: Bed, query: string): Promise<string[]> => {
  const found = await rig.call('memory_fusion', 'recall', { namespace: 'library', query, limit: 50 }, 30_000);
  return (found as { source: string }[]).map(({ source }) => source.split('#')[0]!);
};

describe('a watched folder', () => {
  test('follows a file and a folder to their new names, in the library and in memory', () =>
    withBed(async (bed) => {
      const { folder, first, write, watched } = bed;
      mkdirSync(join(folder, 'old'));
      write('old/rope.md', '# Rope\n\nHawsers are made of hemp.\n');
      write('old/sail.md', '# Sail\n\nCanvas is woven tightly.\n');
      const moved = write('a.txt', 'The capstan turns left.');
      await watched();
      renameSync(moved, join(folder, 'b.txt'));
      await poll(
        'the new name of the file',
        async () => (await first('capstan turns')) === join(folder, 'b.txt'),
        PATIENT,
      );
      renameSync(join(folder, 'old'), join(folder, 'new'));
      for (const [query, name] of [
        ['hawsers hemp', 'rope.md'],
        ['canvas woven', 'sail.md'],
      ] as const) {
        const place = join(folder, 'new', name);
        await poll(`the new name of ${name}`, async () => (await first(query)) === place, PATIENT);
        await poll(
          'memory to know no other',
          async () => (await places(bed, query)).every((one) => !one.includes('/old/')),
          PATIENT,
        );
      }
    }));

  test('that is moved away keeps its documents, and is read again when it is back', () =>
    withBed(async (bed) => {
      const { folder, first, write, watched, call, settled } = bed;
      write('stays.txt', 'Anchors are painted black.');
      write('goes.txt', 'Ropes are coiled clockwise.');
      await watched();
      const away = `${folder}-away`;
      renameSync(folder, away);
      try {
        await poll('the watch to notice', async () => !(await call<Status>('status')).watches[0]!.open, PATIENT);
        assert.equal(await first('ropes coiled'), join(folder, 'goes.txt'));
        unlinkSync(join(away, 'goes.txt'));
        writeFileSync(join(away, 'comes.txt'), 'Sails are mended in winter.');
      } finally {
        renameSync(away, folder);
      }
      await settled();
      await poll('the new file', async () => (await first('sails mended')) === join(folder, 'comes.txt'), PATIENT);
      await poll(
        'the deleted one to be forgotten',
        async () => !(await places(bed, 'ropes coiled')).includes(join(folder, 'goes.txt')),
        PATIENT,
      );
      write('later.txt', 'Lanterns burn whale oil.');
      await poll('it is watched', async () => (await first('lanterns burn')) === join(folder, 'later.txt'), PATIENT);
    }));

  test('lists what it cannot read, follows no link, and forgets both with the file', () =>
    withBed(async (bed) => {
      const { folder, first, write, watched, call } = bed;
      const outside = `${folder}-outside`;
      mkdirSync(outside);
      try {
        writeFileSync(join(outside, 'secret.txt'), 'The treasure lies under the oak.');
        symlinkSync(outside, join(folder, 'door'));
        const broken = write('broken.pdf', '%PDF-1.4 broken');
        const real = write('real.txt', 'The oak stands in the yard.');
        await watched();
        const failures = await call<{ place: string; code: string }[]>('failures');
        assert.deepEqual(
          failures.map(({ place, code }) => [place, code]),
          [[broken, 'DOCUMENT_UNREADABLE']],
        );
        // A file that becomes a link is a file that is gone.
        unlinkSync(real);
        symlinkSync(join(outside, 'secret.txt'), real);
        rmSync(broken);
        await poll(
          'both to be gone',
          async () => (await first('oak')) === undefined && (await call<unknown[]>('failures')).length === 0,
          PATIENT,
        );
      } finally {
        rmSync(outside, { recursive: true, force: true });
      }
    }));

  test('loses nothing of a burst that its queue cannot hold', () =>
    withBed(async ({ folder, watched, settled, call, write, first }) => {
      await watched();
      for (let n = 0; n < 1000; n++)
        write(`${n}.txt`, n % 2 === 0 ? `Barrel ${n} holds herring.` : 'Every second one is alike.');
      write('last.txt', 'The last barrel holds tar.');
      await poll('all to be met', async () => (await call<{ places: number }>('stats')).places === 1001, PATIENT);
      await settled();
      const { documents, waiting, failed } = await call<Status>('status');
      // Equal content is one document.
      assert.deepEqual([documents, waiting, failed], [502, 0, 0]);
      assert.equal(await first('barrel 998'), join(folder, '998.txt'));
      assert.equal(await first('tar'), join(folder, 'last.txt'));
    }));
});

describe('the queue of a watched folder', () => {
  const idle = (queue: { length: number }): Promise<unknown> => poll('the queue to be empty', () => queue.length === 0);

  test('holds no more than its bound, and finds by a scan what came beyond it', async () => {
    const changes = Array.from({ length: 100 }, (_, n) => `${n}`);
    const looked = new Set<string>();
    let most = 0;
    let scans = 0;
    const queue = createQueue({
      maxQueued: 10,
      async look(path) {
        most = Math.max(most, queue.length);
        await new Promise(setImmediate);
        looked.add(path);
      },
      async scan() {
        scans++;
        for (const path of changes) await queue.add(path);
      },
      failed: (_, error) => assert.fail(error as Error),
    });
    for (const path of changes) queue.changed(path);
    await idle(queue);
    assert.equal(looked.size, 100);
    assert.equal(scans, 1);
    assert.ok(most <= 10 + 4 + 1, `${most}`);
  });

  test('never looks at a path twice at once, and again when it changes meanwhile', async () => {
    let now = 0;
    let looks = 0;
    const open: (() => void)[] = [];
    const queue = createQueue({
      maxQueued: 10,
      async look() {
        assert.equal(++now, 1);
        looks++;
        await new Promise<void>((resolve) => open.push(resolve));
        now--;
      },
      scan: () => Promise.resolve(),
      failed: (_, error) => assert.fail(error as Error),
    });
    for (let n = 0; n < 5; n++) queue.changed('a');
    open.shift()!();
    await poll('the second look', () => looks === 2);
    open.shift()!();
    await idle(queue);
    assert.equal(looks, 2);
  });

  test('a look that fails is told and the others go on; a closed queue ends', async () => {
    const failed: string[] = [];
    const queue = createQueue({
      maxQueued: 10,
      look: (path) => (path === 'bad' ? Promise.reject(new Error('bad')) : Promise.resolve()),
      scan: () => Promise.resolve(),
      failed: (path) => failed.push(path),
    });
    for (const path of ['bad', 'good']) queue.changed(path);
    await idle(queue);
    assert.deepEqual(failed, ['bad']);
    await queue.close();
    queue.changed('late');
    assert.equal(queue.length, 1);
  });
});
