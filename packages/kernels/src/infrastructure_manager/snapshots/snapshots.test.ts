import assert from 'node:assert/strict';
import {
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { type Answer, type Bench, plantState, withBench } from '../fixtures/bench.ts';

const names = (answer: Answer): string[] => answer.files.map(({ item }: { item: string }) => item);
const chunkOf = ({ shelf }: Bench, hash: string): string => join(shelf, 'chunks', hash.slice(0, 2), hash);
const manifest = ({ shelf }: Bench, id: string): string => join(shelf, 'manifests', `${id}.json`);
const itemsOf = (bench: Bench, id: string): { item: string; chunks: string[] }[] =>
  JSON.parse(readFileSync(manifest(bench, id), 'utf8')).snapshot.items;
const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
};

describe('a snapshot', () => {
  test('holds stores, configuration and artefacts; no keys, no links, nothing of a database but itself', () =>
    withBench(
      async (bench) => {
        plantState(bench.state, 'a');
        symlinkSync('/etc/passwd', join(bench.folder, 'configs', 'users.yaml'));
        const taken = await bench.call('snapshot', { note: 'first' });
        assert.match(JSON.stringify(taken.skipped), /config\/configs\/users\.yaml.*links are not followed/);
        const shown = await bench.call('snapshots', { id: taken.id });
        assert.deepEqual(names(shown), [
          'state/scheduler/store.sqlite',
          'state/secret_manager/vault/vault',
          'config/configs/grace.yaml',
          'config/configs/policies/one.cedar',
          'artefact/model',
        ]);
        assert.deepEqual(
          [shown.snapshots[0].by, shown.snapshots[0].note, shown.snapshots[0].good],
          ['cli', 'first', true],
        );
        const vault = shown.files.find(({ item }: Answer) => item.endsWith('/vault'));
        assert.deepEqual([vault.mode, vault.bytes, vault.kind], ['0600', 6, 'file']);
        assert.equal(statSync(manifest(bench, taken.id)).mode & 0o777, 0o600);
        const everything = readdirSync(bench.shelf, { recursive: true, withFileTypes: true }).filter((one) =>
          one.isFile(),
        );
        for (const { parentPath, name } of everything)
          assert.ok(!readFileSync(join(parentPath, name)).includes('a key that no snapshot may hold'), name);
      },
      { governed: false },
    ));

  test('stores again only the pieces that have changed', () =>
    withBench(
      async (bench) => {
        const first = await bench.call('snapshot', { items: ['artefact'] });
        assert.ok(first.newBytes > 1e6);
        const bytes = Buffer.from(readFileSync(join(bench.folder, 'model.bin')));
        bytes.write('other', 2_500_000);
        bench.write('model.bin', bytes);
        const second = await bench.call('snapshot', { items: ['artefact'] });
        assert.ok(second.newBytes < 1_048_576 && second.newBytes > 0, `${second.newBytes}`);
        assert.equal((await bench.call('snapshot', { items: ['artefact'] })).newBytes, 0);
      },
      { governed: false },
    ));

  test('takes nothing that is broken, and says so', () =>
    withBench(
      async (bench) => {
        plantState(bench.state, 'a');
        bench.write('configs/bad.yaml', 'a: [1, 2\n');
        bench.write('configs/bad.json', '{"a": ');
        const store = join(bench.state, 'scheduler', 'store.sqlite');
        const bytes = readFileSync(store);
        bytes.fill(7, 4096, 8192);
        writeFileSync(store, bytes);
        const { skipped, id } = await bench.call('snapshot');
        for (const item of ['config/configs/bad.yaml', 'config/configs/bad.json', 'state/scheduler/store.sqlite']) {
          assert.match(skipped.find((one: Answer) => one.item === item)?.why ?? '', /corrupted|SQLite/, item);
          assert.ok(!names(await bench.call('snapshots', { id })).includes(item));
        }
      },
      { governed: false },
    ));

  test('has bounds: files, bytes, and room on the disk', async () => {
    const refused = async (snapshots: Record<string, unknown>, code: string): Promise<void> =>
      await withBench(
        async (bench) => {
          await assert.rejects(bench.call('snapshot', { items: ['config', 'artefact'] }), { code });
          assert.deepEqual((await bench.call('snapshots')).snapshots, []);
        },
        { snapshots, governed: false },
      );
    await refused({ files: 2 }, 'TOO_LARGE');
    await refused({ bytes: 1000 }, 'TOO_LARGE');
    await refused({ freeBytes: 1e15 }, 'STORAGE_FULL');
    await withBench(
      async (bench) => {
        const { skipped } = await bench.call('snapshot');
        assert.match(skipped.find((one: Answer) => one.item === 'artefact/model').why, /3000000 bytes, more than 1000/);
      },
      { snapshots: { fileBytes: 1000 }, governed: false },
    );
  });

  test('is kept by count and age, but never the last good one of anything', () =>
    withBench(
      async (bench) => {
        plantState(bench.state, 'a');
        await bench.call('snapshot', { items: ['state/scheduler'] });
        for (let i = 0; i < 4; i++) await bench.call('snapshot', { items: ['config'] });
        const { snapshots, disk } = await bench.call('snapshots', { prune: true });
        assert.deepEqual(
          snapshots.map(({ id }: Answer) => id),
          ['snap-1', 'snap-4', 'snap-5'],
        );
        const wanted = new Set(
          snapshots.flatMap(({ id }: Answer) => itemsOf(bench, id).flatMap(({ chunks }) => chunks)),
        );
        assert.equal(disk.chunks, wanted.size, 'what no snapshot needs is gone');
      },
      { snapshots: { keep: 2 }, governed: false },
    ));

  test('is taken on schedule, without what differs from the last good one', () =>
    withBench(
      async (bench) => {
        const { id } = await bench.call('snapshot');
        bench.write('model.bin', 'somebody else');
        const scheduled = await poll('a scheduled one', async () => {
          const { snapshots } = await bench.call('snapshots');
          return snapshots.find(({ by }: Answer) => by === 'infrastructure_manager');
        });
        assert.ok(!names(await bench.call('snapshots', { id: scheduled.id })).includes('artefact/model'));
        const { originals } = await bench.call('snapshots', { originals: true });
        assert.deepEqual(
          originals.map(({ item, snapshot, verdict }: Answer) => [item, snapshot, verdict]),
          [['artefact/model', id, 'changed']],
        );
      },
      { snapshots: { lookMs: 20, everyMs: 50, keep: 1000 }, governed: false },
    ));
});

describe('a snapshot that is damaged on disk', () => {
  const damages: [string, (bench: Bench, id: string) => void, RegExp][] = [
    ['a flipped byte of a piece', (bench, id) => flip(chunkOf(bench, modelChunk(bench, id)), 70_000), /is damaged/],
    ['a cut off piece', (bench, id) => truncateSync(chunkOf(bench, modelChunk(bench, id)), 100), /is damaged/],
    ['a missing piece', (bench, id) => rmSync(chunkOf(bench, modelChunk(bench, id))), /is missing/],
    ['a cut off manifest', (bench, id) => truncateSync(manifest(bench, id), 300), /cut off/],
    ['a flipped byte of a manifest', (bench, id) => flip(manifest(bench, id), 200), /checksum|cut off/],
    ['a missing manifest', (bench, id) => rmSync(manifest(bench, id)), /is gone/],
    [
      'the manifest of another',
      (bench, id) => writeFileSync(manifest(bench, id), readFileSync(manifest(bench, 'snap-1'))),
      /is that of snap-1/,
    ],
  ];
  /** The piece only the newest one has. */
  const modelChunk = (bench: Bench, id: string): string =>
    itemsOf(bench, id)
      .find(({ item }) => item === 'artefact/model')!
      .chunks.at(-1)!;
  test('is noticed, marked and never restored from', async (t) =>
    await withBench(
      async (bench) => {
        const marked: string[] = [];
        for (const [what, damage, why] of damages) {
          await t.test(what, async () => {
            bench.write('model.bin', `the first of ${what}`);
            const first = await bench.call('snapshot', { items: ['artefact'] });
            bench.write('model.bin', what.repeat(100_000));
            const second = await bench.call('snapshot', { items: ['artefact'] });
            damage(bench, second.id);
            await assert.rejects(
              bench.call('restore', { snapshot: second.id, item: 'artefact/model' }),
              (error: Error & { code: string }) => {
                assert.equal(error.code, 'CONFLICT');
                assert.match(error.message, why);
                assert.match(error.message, new RegExp(`the last good one is ${first.id}$`));
                return true;
              },
            );
            assert.equal(bench.read('model.bin').length, what.length * 100_000);
            const restored = await bench.call('restore', { item: 'artefact/model' });
            assert.equal(restored.snapshot, first.id);
            assert.equal(restored.passedOver[0].id, second.id);
            assert.equal(bench.read('model.bin'), `the first of ${what}`);
            marked.push(second.id);
          });
        }
        await bench.rig.restart('infrastructure_manager');
        const { snapshots } = await bench.call('snapshots');
        const bad = snapshots.filter(({ good }: Answer) => !good).map(({ id }: Answer) => id);
        assert.deepEqual(bad, marked);
      },
      { snapshots: { keep: 100 } },
    ));

  test('is noticed by the timer, and a piece that is stored again heals it', () =>
    withBench(
      async (bench) => {
        const { id } = await bench.call('snapshot');
        const piece = chunkOf(bench, modelChunk(bench, id));
        flip(piece, 5);
        const told = await poll('it is told', () => bench.heard.find(({ subject }) => subject === 'snapshot_bad'));
        assert.match(String(told.payload['why']), /artefact\/model: chunk .* is damaged/);
        await bench.call('snapshot', { items: ['artefact'] });
        const { snapshots } = await bench.call('snapshots', { verify: true });
        assert.ok(snapshots.length === 2 && snapshots.every(({ good }: Answer) => good));
      },
      { snapshots: { lookMs: 20 }, governed: false },
    ));
});

describe('originals', () => {
  const YAML = 'configs/grace.yaml';
  const cases: [string, (bench: Bench) => void, string, string, RegExp][] = [
    [
      'another valid text',
      (b) => void b.write(YAML, 'settings: {}\n'),
      'config/configs/grace.yaml',
      'changed',
      /written after/,
    ],
    [
      'text that does not parse',
      (b) => void b.write(YAML, 'a: [1\n'),
      'config/configs/grace.yaml',
      'corrupted',
      /does not parse/,
    ],
    ['nothing in it', (b) => void b.write(YAML, ''), 'config/configs/grace.yaml', 'corrupted', /empty/],
    ['no file', (b) => rmSync(join(b.folder, YAML)), 'config/configs/grace.yaml', 'missing', /not there/],
    [
      'its beginning alone',
      (b) => truncateSync(join(b.folder, 'model.bin'), 1_500_000),
      'artefact/model',
      'corrupted',
      /ends after 1500000/,
    ],
    [
      'a flipped bit that nobody wrote',
      (b) => {
        const path = join(b.folder, 'model.bin');
        const { atimeMs, mtimeMs } = statSync(path);
        flip(path, 1_200_000);
        utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
      },
      'artefact/model',
      'corrupted',
      /size and time of change are the same/,
    ],
    [
      'a link in its place',
      (b) => {
        rmSync(join(b.folder, 'model.bin'));
        symlinkSync('/etc/hostname', join(b.folder, 'model.bin'));
      },
      'artefact/model',
      'unreadable',
      /no regular file/,
    ],
  ];
  test('that differ are told with both hashes, and put back', async (t) =>
    await withBench(
      async (bench) => {
        // A time that a file can be given again, to the whole second.
        utimesSync(join(bench.folder, 'model.bin'), 1_700_000_000, 1_700_000_000);
        for (const [what, change, item, verdict, why] of cases) {
          await t.test(`${what}: ${verdict}`, async () => {
            const { id } = await bench.call('snapshot');
            const recorded = (await bench.call('snapshots', { id, item })).files[0];
            bench.heard.length = 0;
            change(bench);
            const told = await poll('it is told', () => bench.heard.find(({ subject }) => subject === 'original'));
            assert.deepEqual([told.payload['item'], told.payload['verdict']], [item, verdict]);
            assert.match(String(told.payload['why']), why);
            const found = told.payload['found'] as { sha256: string } | null;
            assert.equal((told.payload['recorded'] as { sha256: string }).sha256, recorded.sha256);
            assert.equal(found === null, verdict === 'missing' || verdict === 'unreadable');
            if (found) assert.notEqual(found.sha256, recorded.sha256);
            const { troubled } = (await bench.call('status')).snapshots;
            assert.deepEqual([troubled.length, troubled[0].item, troubled[0].verdict], [1, item, verdict]);
            if (verdict === 'unreadable') rmSync(join(bench.folder, 'model.bin'));
            const restored = await bench.call('restore', { item });
            assert.deepEqual([restored.snapshot, restored.items[0].sha256], [id, recorded.sha256]);
            await poll('nothing differs', async () => (await bench.call('status')).snapshots.troubled.length === 0);
            assert.deepEqual((await bench.call('snapshots', { originals: true })).originals, []);
          });
        }
      },
      { snapshots: { lookMs: 20, keep: 100 } },
    ));

  test('what is snapshot by name is meant, and the same from then on', () =>
    withBench(
      async (bench) => {
        await bench.call('snapshot');
        bench.write('model.bin', 'new weights');
        assert.equal((await bench.call('snapshots', { originals: true })).originals[0].verdict, 'changed');
        await bench.call('snapshot', { items: ['artefact/model'] });
        assert.deepEqual((await bench.call('snapshots', { originals: true })).originals, []);
      },
      { governed: false },
    ));
});
