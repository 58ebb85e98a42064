import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Growth, type TileContent } from './growth.ts';
import { type LeafSource, leafOf, PAYLOAD_BYTES_MAX } from './leaf.ts';
import { leafHash, rootOf } from './merkle.ts';
import { bundleEntries, foldTile, parseTilePath, partialTiles, subtreeInTile, tilePath, tileWidth } from './tiles.ts';

const record = (seq: number): LeafSource => ({
  ...{ seq, atMs: 1_700_000_000_000 + seq, kind: 'data' as const, hash: seq.toString(16).padStart(64, '0') },
  payload: JSON.stringify({ action: `act ${seq}`, note: 'ü'.repeat(seq % 7) }),
});

/** Everything a tree of this size would have on disk. */
function grown(size: number): { growth: Growth; tiles: Map<string, Buffer> } {
  const tiles = new Map<string, Buffer>();
  const keep = ({ tile, bytes }: TileContent) => tiles.set(tilePath(tile), bytes);
  const growth = new Growth(keep);
  for (let seq = 1; seq <= size; seq++) {
    const source = record(seq);
    growth.add(source, Buffer.byteLength(source.payload));
  }
  growth.partial().forEach(keep);
  return { growth, tiles };
}

describe('tiles', () => {
  test('have the paths of the specification', () => {
    assert.equal(tilePath({ level: 0, index: 1_234_067, width: 256 }), 'tile/0/x001/x234/067');
    assert.equal(tilePath({ level: 'entries', index: 5, width: 12 }), 'tile/entries/005.p/12');
    assert.equal(tilePath({ level: 2, index: 1000, width: 256 }), 'tile/2/x001/000');
    for (const bad of [
      'tile/0/5',
      'tile/00/005',
      'tile/0/005.p/256',
      'tile/0/005.p/0',
      'tile/0/000/005',
      'tile/64/000',
    ])
      assert.equal(parseTilePath(bad), null, bad);
  });

  test('paths say what they name, both ways', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.nat(63));
    const name = fc.record({ level, index: fc.maxSafeNat(), width: fc.integer({ min: 1, max: 256 }) });
    fc.assert(fc.property(name, (tile) => assert.deepEqual(parseTilePath(tilePath(tile)), { ...tile })));
  });

  test('a tree of 70,000 has the partial tiles of the example in the specification', () => {
    assert.deepEqual(partialTiles(70_000).map(tilePath), [
      'tile/entries/273.p/112',
      'tile/0/273.p/112',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ]);
    assert.deepEqual(partialTiles(256).map(tilePath), ['tile/1/000.p/1']);
    assert.deepEqual([tileWidth(0, 272, 70_000), tileWidth(0, 274, 70_000), tileWidth(1, 1, 70_000)], [256, 0, 17]);
  });

  test('growing leaf by leaf gives the root, the tiles and the entries of the definition', () => {
    for (const size of [1, 2, 255, 256, 257, 512, 700]) {
      const { growth, tiles } = grown(size);
      const leaves = Array.from({ length: size }, (_, i) => leafOf(record(i + 1)));
      assert.deepEqual(growth.root(), rootOf(Buffer.concat(leaves.map(leafHash))), `root of ${size}`);
      const entries = [...tiles].filter(([path]) => path.startsWith('tile/entries/')).sort();
      assert.deepEqual(
        entries.flatMap(([, bytes]) => bundleEntries(bytes)!),
        leaves,
      );
      for (const { level, index, width } of partialTiles(size)) {
        assert.ok(tiles.has(tilePath({ level, index, width })), tilePath({ level, index, width }));
      }
    }
  });

  test('any whole subtree is found in one tile', () => {
    const { tiles } = grown(600);
    const hashes = Array.from({ length: 512 }, (_, i) => leafHash(leafOf(record(i + 1))));
    for (let level = 0; level <= 9; level++) {
      for (let index = 0; (index + 1) * 2 ** level <= 512; index++) {
        const { from, count, ...tile } = subtreeInTile(level, index);
        const width = tileWidth(tile.level, tile.index, 600);
        const found = foldTile(tiles.get(tilePath({ ...tile, width }))!, from, count);
        assert.deepEqual(found, rootOf(Buffer.concat(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level))));
      }
    }
  });

  test('a bundle with a wrong length is no bundle', () => {
    assert.equal(bundleEntries(Buffer.from([0, 3, 1, 2])), null);
    assert.equal(bundleEntries(Buffer.from([0])), null);
    assert.deepEqual(bundleEntries(Buffer.from([0, 1, 7, 0, 0])), [Buffer.from([7]), Buffer.alloc(0)]);
  });
});

describe('a leaf', () => {
  test('is one line of JSON that tells the record and its hash', () => {
    const leaf = leafOf({ seq: 7, atMs: 12, kind: 'data', hash: 'ab'.repeat(32), payload: '{"actor":"ada"}' });
    assert.equal(
      leaf.toString(),
      `{"seq":7,"atMs":12,"kind":"data","hash":"${'ab'.repeat(32)}","entry":{"actor":"ada"}}`,
    );
  });

  test('is the same from text and from bytes, and fits into a bundle however large the payload is', () => {
    const frame = { seq: 2 ** 53 - 1, atMs: 2 ** 47, kind: 'recovery' as const, hash: 'f'.repeat(64) };
    for (const chars of [0, 10, PAYLOAD_BYTES_MAX - 2, PAYLOAD_BYTES_MAX - 1, 200_000]) {
      const payload = `"${'x'.repeat(chars)}"`;
      const leaf = leafOf({ ...frame, payload });
      assert.deepEqual(leaf, leafOf({ ...frame, payload: Buffer.from(payload) }));
      assert.ok(leaf.length <= 65_535);
      const said = JSON.parse(leaf.toString()) as { entry?: string; entryBytes?: number };
      assert.equal(said.entry?.length ?? said.entryBytes, chars + 2 <= PAYLOAD_BYTES_MAX ? chars : chars + 2);
    }
  });
});
