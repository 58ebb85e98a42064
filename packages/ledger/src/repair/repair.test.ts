import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DAMAGES, SEGMENT_BYTES, type Site, siteIn, TEXTS, writeSite } from '../../test/damages.ts';
import { freshFolder } from '../../test/folder.ts';
import { readAll } from '../../test/records.ts';
import { openLedger, repairLedger, verifyLedger } from '../index.ts';
import { segmentName } from '../segments.ts';

const ORDER = { by: 'test', reason: 'because' };
const number = (segment: string) => Number(segment.split('.')[0]);
const found = async ({ dir }: Site) =>
  new Map((await readAll(dir)).map(({ seq, kind, text }) => [seq, { kind, text }]));
const verified = ({ dir, outerHead }: Site) => verifyLedger(dir, { outerHead });

describe('damage of the record', () => {
  for (const { name, spoil, kinds, at, lost } of DAMAGES) {
    test(`${name}: told by its own kind and place, and sealed; what is readable stays readable`, async (t) => {
      const site = siteIn(await freshFolder(t));
      await writeSite(site);
      await rm(site.mirror, { recursive: true });
      await spoil(site);
      const { problems, ok } = await verified(site);
      assert.equal(ok, false);
      assert.deepEqual(
        problems.map(({ kind }) => kind),
        kinds,
        JSON.stringify(problems),
      );
      assert.deepEqual([number(problems[0]!.segment), problems[0]!.seq], at);

      const repair = await repairLedger({ dir: site.dir, outerHead: site.outerHead }, ORDER);
      assert.equal(repair.action, lost.length > 0 ? 'sealed' : 'restored', JSON.stringify(repair));
      const after = await verified(site);
      assert.deepEqual(after.problems, []);
      const records = await found(site);
      for (const [i, text] of TEXTS.entries()) {
        if (lost.includes(i + 1)) assert.equal(records.get(i + 1), undefined, `record ${i + 1}`);
        else assert.deepEqual(records.get(i + 1), { kind: 'data', text }, `record ${i + 1}`);
      }
      // What was done is the next entry, and no seq is given again.
      assert.equal(records.get(TEXTS.length + 1)?.kind, lost.length > 0 ? 'seal' : 'repair');
      const ledger = await openLedger({ dir: site.dir, outerHead: site.outerHead });
      assert.equal((await ledger.append('goes on')).seq, TEXTS.length + 2);
      await ledger.close();
      assert.equal((await repairLedger({ dir: site.dir, outerHead: site.outerHead }, ORDER)).action, 'nothing');
    });

    test(`${name}: with a mirror every record is back, and what was replaced is kept`, async (t) => {
      const site = siteIn(await freshFolder(t));
      await writeSite(site);
      await spoil(site);
      const ledger = await openLedger({ ...site, segmentBytes: SEGMENT_BYTES, onDamage: 'repair' });
      // Damage to an older segment is not the start's to find.
      const repair = ledger.repaired ?? (await ledger.repair(ORDER));
      assert.equal(repair.action, 'restored', JSON.stringify(repair));
      assert.ok(ledger.last.seq === TEXTS.length + 1);
      await ledger.append('goes on');
      await ledger.close();
      assert.deepEqual((await verified(site)).problems, []);
      const records = await found(site);
      for (const [i, text] of TEXTS.entries()) assert.deepEqual(records.get(i + 1), { kind: 'data', text });
      const told = JSON.parse(records.get(TEXTS.length + 1)!.text) as { evidence: string; segments: string[] };
      assert.ok((await stat(join(site.dir, told.evidence))).isDirectory());
      assert.equal(records.get(TEXTS.length + 2)?.text, 'goes on');
    });
  }
});

describe('a sealed epoch', () => {
  const spoilt = DAMAGES.find(({ name }) => name === 'a flipped byte in the middle')!;

  async function sealed(site: Site): Promise<void> {
    await writeSite(site);
    await rm(site.mirror, { recursive: true });
    await spoilt.spoil(site);
    await repairLedger({ dir: site.dir, outerHead: site.outerHead }, ORDER);
  }

  test('says who sealed it and why, what is kept and what is lost, and is told by verification', async (t) => {
    const site = siteIn(await freshFolder(t));
    await sealed(site);
    const folder = join(site.dir, 'sealed', 'epoch-1');
    const seal = JSON.parse(await readFile(join(folder, 'seal.json'), 'utf8'));
    assert.deepEqual([seal.by, seal.reason, seal.next, seal.lost], ['test', 'because', 13, [{ from: 5, to: 5 }]]);
    assert.equal(seal.lastGood.seq, 4);
    assert.equal(seal.problems[0].kind, 'checksum');
    for (const name of await readdir(folder)) assert.equal((await stat(join(folder, name))).mode & 0o222, 0, name);
    const { epochs, records } = await verified(site);
    assert.deepEqual([epochs[0]!.epoch, epochs[0]!.records, records], [1, 11, 12]);
  });

  test('that is changed, or whose seal is, or that is gone, is told; and the next seal knows it', async (t) => {
    const spoilers: ((folder: string) => Promise<void>)[] = [
      async (folder) => spoilFile(join(folder, segmentName(10)), 100),
      async (folder) => spoilFile(join(folder, 'seal.json'), 40),
      async (folder) => rm(join(folder, segmentName(1)), { force: true }),
    ];
    for (const spoil of spoilers) {
      const root = await freshFolder(t);
      const site = siteIn(root);
      await sealed(site);
      await spoil(join(site.dir, 'sealed', 'epoch-1'));
      const { problems } = await verified(site);
      assert.ok(problems.length > 0);
      assert.ok(
        problems.some(({ kind }) => kind === 'seal' || kind === 'link'),
        JSON.stringify(problems),
      );
      const repair = await repairLedger({ dir: site.dir, outerHead: site.outerHead }, ORDER);
      assert.equal(repair.action, 'sealed');
    }
  });

  test('is followed by others; readers go over all of them', async (t) => {
    const site = siteIn(await freshFolder(t));
    await sealed(site);
    for (let round = 0; round < 3; round++) {
      const ledger = await openLedger({ dir: site.dir, outerHead: site.outerHead });
      for (let i = 0; i < 4; i++) await ledger.append(`round ${round}, ${i}`);
      await ledger.close();
      const newest = (await readdir(site.dir))
        .filter((name) => name.endsWith('.segment'))
        .sort()
        .at(-1)!;
      await spoilFile(join(site.dir, newest), 64 + 70);
      assert.equal((await repairLedger({ dir: site.dir, outerHead: site.outerHead }, ORDER)).action, 'sealed');
    }
    const { problems, epochs } = await verified(site);
    assert.deepEqual([problems, epochs.length], [[], 4]);
    const texts = (await readAll(site.dir)).map(({ text }) => text);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) assert.ok(texts.includes(`round ${round}, ${i}`), `round ${round}, ${i}`);
    }
  });

  test('takes its companions with it', async (t) => {
    const site = siteIn(await freshFolder(t));
    await writeSite(site);
    await rm(site.mirror, { recursive: true });
    const companion = join(site.dir, '..', 'log');
    await mkdir(companion);
    await writeFile(join(companion, 'checkpoint'), 'signed');
    await spoilt.spoil(site);
    await repairLedger({ dir: site.dir, companions: [companion] }, ORDER);
    assert.equal(await readFile(join(site.dir, 'sealed', 'epoch-1', 'log', 'checkpoint'), 'utf8'), 'signed');
  });
});

describe('repair', () => {
  test('is not hindered by a mirror that has nothing yet', async (t) => {
    const site = siteIn(await freshFolder(t));
    await writeSite(site);
    await rm(site.mirror, { recursive: true });
    await DAMAGES.find(({ name }) => name === 'a damaged header')!.spoil(site);
    assert.equal((await repairLedger(site, ORDER)).action, 'restored');
    assert.deepEqual((await verified(site)).problems, []);
  });

  test('says what it would do and does nothing, when only asked', async (t) => {
    const site = siteIn(await freshFolder(t));
    await writeSite(site);
    await DAMAGES[0]!.spoil(site);
    const before = (await readdir(site.dir)).sort();
    const { mirror: _, ...bare } = site;
    assert.equal((await repairLedger(bare, { ...ORDER, dryRun: true })).action, 'sealed');
    assert.equal((await repairLedger(site, { ...ORDER, dryRun: true })).action, 'restored');
    assert.deepEqual((await readdir(site.dir)).sort(), before);
  });

  test('beside a living writer refuses nothing that is appended meanwhile, and loses nothing', async (t) => {
    const { mirror: _, ...site } = siteIn(await freshFolder(t));
    const ledger = await openLedger({ ...site, segmentBytes: SEGMENT_BYTES });
    const texts = new Map<number, string>();
    const appendAll = async (prefix: string) => {
      const all = Array.from({ length: 20 }, (_, i) => `${prefix} ${i}`);
      for (const [i, { seq }] of (await Promise.all(all.map((text) => ledger.append(text)))).entries()) {
        assert.ok(!texts.has(seq));
        texts.set(seq, all[i]!);
      }
    };
    await appendAll('before');
    assert.deepEqual(await ledger.look(), []);
    await spoilFile(join(site.dir, segmentName(1)), 64 + 70);
    assert.equal((await ledger.look()).length, 1);
    const during = appendAll('during');
    const repair = await ledger.repair(ORDER);
    await during;
    await appendAll('after');
    assert.equal(repair.action, 'sealed');
    assert.deepEqual(await ledger.look(), []);
    assert.deepEqual(ledger.missing, [{ from: 1, to: 1 }]);
    const read = new Map<number, string>();
    for await (const record of ledger.read(1, 1e6))
      if (record.kind === 'data') read.set(record.seq, Buffer.from(record.payload).toString());
    texts.delete(1);
    assert.deepEqual(read, texts);
    await ledger.close();
    assert.deepEqual((await verified({ ...site, mirror: '' })).problems, []);
  });
});

async function spoilFile(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 1;
  await rm(path, { force: true });
  await writeFile(path, bytes);
}
