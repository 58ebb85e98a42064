import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { freshFolder } from '../../test/folder.ts';
import { appendMany, ORIGIN, openTreeSite, SIGNER, type TreeSite } from '../../test/tree-site.ts';
import {
  checkProof,
  formatConsistency,
  formatInclusion,
  leafHash,
  leafOf,
  readCheckpoint,
  rootAt,
  rootOfLedger,
  TileReader,
  type TreeProblemKind,
  verifyInclusion,
  verifyTree,
} from './index.ts';

const kinds = async (site: Pick<TreeSite, 'ledgerDir' | 'logDir'>, more: { vkey?: string } = {}) => {
  const { problems } = await verifyTree({ ledgerDir: site.ledgerDir, logDir: site.logDir, ...more });
  return [...new Set(problems.map(({ kind }) => kind))];
};
const keys = [SIGNER.verifier];

async function leafAt(site: TreeSite, seq: number): Promise<Buffer> {
  for await (const record of site.ledger.read(seq, 1)) return leafOf(record);
  throw new Error(`no record ${seq}`);
}

describe('the tree over a ledger', () => {
  test('covers every durable record, and proves each of them against a signed checkpoint', async (t) => {
    const site = await openTreeSite(t, await freshFolder(t));
    for (const count of [1, 1, 253, 1, 1, 300, 700]) {
      await appendMany(site.ledger, site.ledger.last.seq, count);
      const { size, root } = await site.tree.publish();
      assert.equal(size, site.ledger.last.seq);
      assert.deepEqual(await rootOfLedger(site.ledgerDir, size), root);
      const onDisk = (await readCheckpoint(site.logDir, keys))!;
      assert.deepEqual([onDisk.size, onDisk.root, onDisk.origin], [size, root, ORIGIN]);
      for (const seq of [1, 2, 255, 256, 257, 512, 513, size].filter((seq) => seq <= size)) {
        const { index, hashes, checkpoint } = await site.tree.proveInclusion(seq);
        const leaf = await leafAt(site, seq);
        assert.ok(
          verifyInclusion(index, checkpoint.size, leafHash(leaf), hashes, checkpoint.root),
          `${seq} of ${size}`,
        );
        const entries = await new TileReader(site.logDir, size).entries(Math.floor(index / 256));
        assert.deepEqual(entries[index % 256], leaf);
      }
    }
    assert.deepEqual(await kinds(site), []);
    // What is full stands there whole, and no partial tile beside it.
    assert.deepEqual((await readdir(join(site.logDir, 'tile/0'))).sort(), ['000', '001', '002', '003', '004.p']);
  });

  test('is never ahead of the ledger, and takes in later what came before it was open', async (t) => {
    const dir = await freshFolder(t);
    const first = await openTreeSite(t, dir);
    await appendMany(first.ledger, 0, 600);
    assert.equal((await readCheckpoint(first.logDir, keys))!.size, 0);
    await first.tree.publish();
    await appendMany(first.ledger, 600, 500);
    // Ended without another checkpoint: the tree is behind.
    await first.close();
    const second = await openTreeSite(t, dir);
    assert.equal(second.tree.rebuilt, null);
    assert.equal(second.tree.published!.size, 600);
    await appendMany(second.ledger, 1100, 3);
    const { size, root } = await second.tree.publish();
    assert.equal(size, 1103);
    assert.deepEqual(root, await rootOfLedger(second.ledgerDir, 1103));
    assert.deepEqual(await kinds(second), []);
    const old = await rootAt(600, new TileReader(second.logDir, 1103).hash);
    assert.deepEqual(old, first.tree.published!.root);
  });

  test('publications asked for at once cover what each of them must', async (t) => {
    const site = await openTreeSite(t, await freshFolder(t));
    const rounds = Array.from({ length: 40 }, async (_, i) => {
      await appendMany(site.ledger, i * 30, 30);
      const wanted = site.ledger.last.seq;
      assert.ok((await site.tree.publish()).size >= wanted);
    });
    await Promise.all(rounds);
    assert.equal((await site.tree.publish()).size, 1200);
    assert.deepEqual(await kinds(site), []);
  });

  test('is made again from the ledger when tiles are missing or damaged', async (t) => {
    const dir = await freshFolder(t);
    const spoil: Record<string, (logDir: string) => Promise<void>> = {
      'a tile above': (logDir) => rm(join(logDir, 'tile/1'), { recursive: true }),
      'a full tile': (logDir) => writeFile(join(logDir, 'tile/0/000'), Buffer.alloc(8192)),
      'all tiles': (logDir) => rm(join(logDir, 'tile'), { recursive: true }),
    };
    let site = await openTreeSite(t, dir);
    await appendMany(site.ledger, 0, 700);
    const { root } = await site.tree.publish();
    for (const [what, how] of Object.entries(spoil)) {
      await how(site.logDir);
      assert.deepEqual(await kinds(site), ['tile'], what);
      await site.close();
      // A tile that no start reads is found by verification alone; without the others there is no going on.
      if (what === 'a full tile') await rm(join(site.logDir, 'tile/1'), { recursive: true });
      site = await openTreeSite(t, dir);
      assert.equal(site.tree.rebuilt?.kind, 'tile', what);
      assert.equal(site.tree.broken, null);
      const again = await site.tree.publish();
      assert.deepEqual([again.size, again.root], [700, root], what);
      assert.deepEqual(await kinds(site), [], what);
    }
  });
});

describe('records that are not those that were signed', () => {
  async function withOther(t: Parameters<typeof freshFolder>[0], records: number) {
    const dir = await freshFolder(t);
    const site = await openTreeSite(t, join(dir, 'one'));
    await appendMany(site.ledger, 0, 700);
    await site.tree.publish();
    await site.close();
    // A consistent ledger, with all hashes computed anew, of another history.
    const other = await openTreeSite(t, join(dir, 'other'));
    await appendMany(other.ledger, 0, 299);
    await appendMany(other.ledger, 5000, records - 299);
    await other.close();
    await rm(site.ledgerDir, { recursive: true });
    await cp(other.ledgerDir, site.ledgerDir, { recursive: true });
    return site;
  }

  test('are found at the start, located, and nothing is signed any more', async (t) => {
    const site = await withOther(t, 700);
    const again = await openTreeSite(t, site.dir);
    assert.equal(again.tree.broken?.code, 'LEDGER_CORRUPT');
    assert.equal(again.tree.broken.details['reason'], 'rewritten');
    // Times differ too, so the first record that differs is the very first.
    assert.equal(again.tree.broken.details['seq'], 1);
    await appendMany(again.ledger, 0, 1);
    await assert.rejects(again.tree.publish(), {
      code: 'LEDGER_CORRUPT',
      message: /rewritten: checkpoint saw size 700/,
    });
    assert.equal((await readCheckpoint(site.logDir, keys))!.size, 700);
    assert.deepEqual(await kinds(site), ['rewritten', 'tile']);
  });

  test('a shorter ledger is a rolled back one', async (t) => {
    const site = await withOther(t, 650);
    const again = await openTreeSite(t, site.dir);
    assert.match(
      again.tree.broken!.message,
      /rolled back: checkpoint saw size 700 root .*, the ledger holds 650 records/,
    );
    await assert.rejects(again.tree.publish(), { code: 'LEDGER_CORRUPT' });
    assert.ok((await kinds(site)).includes('rolled-back'));
  });

  test('what a witness saw counts, though the whole folder of the log was exchanged', async (t) => {
    const dir = await freshFolder(t);
    const site = await openTreeSite(t, dir);
    await appendMany(site.ledger, 0, 300);
    const { root, size } = await site.tree.publish();
    await appendMany(site.ledger, 300, 10);
    await site.tree.publish();
    await site.close();
    const claims: [TreeProblemKind | null, { size: number; root: Buffer }][] = [
      [null, { size, root }],
      ['forked', { size, root: Buffer.alloc(32, 1) }],
      ['forked', { size: 310, root }],
      ['rolled-back', { size: 311, root }],
    ];
    for (const [reason, head] of claims) {
      const seen = [{ by: 'witness', head }];
      const again = await openTreeSite(t, dir, { seen });
      assert.equal(again.tree.broken?.details['reason'] ?? null, reason, `${reason} ${head.size}`);
      await again.close();
      await rm(join(dir, 'log'), { recursive: true });
      const bare = await openTreeSite(t, dir, { seen });
      assert.equal(bare.tree.broken?.details['reason'] ?? null, reason, `without tiles: ${reason} ${head.size}`);
      if (reason === null) await bare.tree.publish();
      else await assert.rejects(bare.tree.publish(), { code: 'LEDGER_CORRUPT' });
      await bare.close();
      const clean = await openTreeSite(t, dir);
      await clean.tree.publish();
      await clean.close();
    }
  });

  test('a checkpoint that was changed, signed by another key, or removed beside tiles is refused', async (t) => {
    const dir = await freshFolder(t);
    const site = await openTreeSite(t, dir);
    await appendMany(site.ledger, 0, 20);
    const { note, root } = await site.tree.publish();
    await site.close();
    const path = join(site.logDir, 'checkpoint');
    for (const spoil of [
      () => writeFile(path, note.replace('\n20\n', '\n21\n')),
      () => writeFile(path, 'nonsense'),
      () => rm(path),
    ]) {
      await spoil();
      assert.deepEqual(await kinds(site), ['checkpoint']);
      const again = await openTreeSite(t, dir);
      assert.equal(again.tree.broken?.details['reason'], 'checkpoint');
      await again.close();
    }
    // With somebody who saw what stood there it is made again.
    const seen = [{ by: 'witness', head: { size: 20, root } }];
    const again = await openTreeSite(t, dir, { seen });
    assert.deepEqual([again.tree.broken, again.tree.rebuilt?.kind], [null, 'checkpoint']);
    assert.deepEqual((await again.tree.publish()).root, root);
    assert.deepEqual(await kinds(again), []);
  });
});

describe('a proof file', () => {
  test('verifies with the key alone, and not when one character of it is changed', async (t) => {
    const site = await openTreeSite(t, await freshFolder(t));
    await appendMany(site.ledger, 0, 40);
    await site.tree.publish();
    const at17 = await site.tree.proveInclusion(17);
    const inclusion = formatInclusion({ ...at17, extra: await leafAt(site, 17), note: at17.checkpoint.note });
    const rootFrom = await rootOfLedger(site.ledgerDir, 20);
    await appendMany(site.ledger, 40, 30);
    await site.tree.publish();
    const grown = await site.tree.proveConsistency(20);
    const consistency = formatConsistency({ from: 20, rootFrom, hashes: grown.hashes, note: grown.checkpoint.note });

    assert.equal(checkProof(inclusion, { logs: keys }).at, 16);
    assert.equal(checkProof(inclusion, { logs: keys, leaf: await leafAt(site, 17) }).checkpoint.size, 40);
    assert.throws(() => checkProof(inclusion, { logs: keys, leaf: Buffer.from('other') }), { code: 'PROOF_INVALID' });
    assert.equal(checkProof(consistency, { logs: keys }).checkpoint.size, 70);
    for (const file of [inclusion, consistency]) {
      for (let at = 0; at < file.length; at += 7) {
        const other = file[at] === 'B' ? 'C' : 'B';
        const changed = file.slice(0, at) + other + file.slice(at + 1);
        assert.throws(
          () => checkProof(changed, { logs: keys }),
          { code: 'PROOF_INVALID' },
          `${at}: ${file.slice(at, at + 20)}`,
        );
      }
    }
    assert.ok(inclusion.startsWith('c2sp.org/tlog-proof@v1\nextra '));
    assert.equal((await readFile(join(site.logDir, 'vkey'), 'utf8')).trim(), SIGNER.verifier.vkey);
  });
});
