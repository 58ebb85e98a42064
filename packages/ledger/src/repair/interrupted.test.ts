import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { faultyFiles } from '../../test/faulty-files.ts';
import { freshFolder } from '../../test/folder.ts';
import { chanceOf, PowerLossDisk } from '../../test/power-loss.ts';
import type { FileLayer } from '../files.ts';
import { type LedgerOptions, openLedgerOn } from '../ledger.ts';
import { readRecords } from '../read.ts';
import { segmentName } from '../segments.ts';
import { verifyLedgerOn } from '../verify.ts';

/** Each scenario has some 250 calls; a build interrupts every fifth of them, `GRACE_EVERY_CALL=1` each. */
const STEP = Number(process.env['GRACE_EVERY_CALL'] ?? 5);
const RECORDS = 7;
const textOf = (seq: number) => `${seq} ${'x'.repeat(150)}`;
const ORDER = { by: 'test', reason: 'interrupted' };

interface Scene {
  options: LedgerOptions;
  /** Records that are lost for good, whatever happens. */
  lost: number[];
}

/** Seven records in segments of two; record 4 is damaged, and with a mirror it is still there. */
async function damaged(files: FileLayer, root: string, withMirror: boolean): Promise<Scene> {
  const dir = join(root, 'ledger');
  const place = { dir, outerHead: `${dir}.head`, ...(withMirror ? { mirror: join(root, 'mirror') } : {}) };
  const options: LedgerOptions = { ...place, segmentBytes: 600, groupCommitMs: 0, onDamage: 'repair' };
  const ledger = await openLedgerOn(files, options);
  for (let seq = 1; seq <= RECORDS; seq++) await ledger.append(textOf(seq));
  await ledger.close();
  const file = await files.open(join(dir, segmentName(3)), 'write');
  await file.write(Buffer.from('damage'), 64 + 92 + 153 + 80);
  await file.sync();
  await file.close();
  return { options, lost: withMirror ? [] : [4] };
}

async function assertKept(files: FileLayer, { options, lost }: Scene, acknowledged: Map<number, string>, what: string) {
  const ledger = await openLedgerOn(files, options);
  await ledger.repair(ORDER);
  await ledger.append('goes on');
  await ledger.close();
  const { dir, outerHead } = options;
  const { problems } = await verifyLedgerOn(files, dir, { outerHead, isQuiet: true });
  assert.deepEqual(problems, [], what);
  const found = new Map<number, string>();
  const told = new Set<string>();
  for await (const { seq, kind, payload } of readRecords(files, dir, { from: 1, limit: 1e6 })) {
    found.set(seq, Buffer.from(payload).toString());
    told.add(kind);
  }
  for (let seq = 1; seq <= RECORDS; seq++) {
    assert.equal(found.get(seq), lost.includes(seq) ? undefined : textOf(seq), `${what}, record ${seq}`);
  }
  for (const [seq, text] of acknowledged) assert.equal(found.get(seq), text, `${what}, record ${seq}`);
  assert.ok(told.has('seal') || told.has('repair'), `${what}: what was done is recorded`);
}

describe('a repair that is interrupted', () => {
  for (const withMirror of [false, true]) {
    const how = withMirror ? 'a restoration' : 'a seal';
    for (const [errno, code, failCount] of [
      ['EIO', 'STORAGE_FAILED', 1],
      ['ENOSPC', 'STORAGE_FULL', 9],
    ] as const) {
      test(`${how}, by ${errno} at any ${failCount} of its calls: nothing readable is lost, and service returns`, async (t) => {
        const root = await freshFolder(t);
        for (let failAt = 1, reached = true; reached; failAt += STEP) {
          const disk = new PowerLossDisk();
          const scene = await damaged(disk.layer, root, withMirror);
          const { files, faults } = faultyFiles({ failAt, failCount, errno }, disk.layer);
          const what = `${errno} at call ${failAt}`;
          const acknowledged = new Map<number, string>();
          const ledger = await openLedgerOn(files, scene.options).catch((error) => {
            assert.equal(error.code, code, `${what}: ${error.message}`);
          });
          if (ledger) {
            const tryAppend = (text: string) =>
              ledger.append(text).then(
                ({ seq }) => acknowledged.set(seq, text),
                (error) => assert.equal(error.code, code, `${what}: ${error.message}`),
              );
            const order = ledger
              .repair(ORDER)
              .catch((error) => assert.equal(error.code, code, `${what}: ${error.message}`));
            await Promise.all([order, tryAppend('meanwhile')]);
            reached = faults.calls >= failAt;
            faults.failAt = 0;
            const { seq } = await ledger.append('service is back');
            acknowledged.set(seq, 'service is back');
            await ledger.close();
          }
          await assertKept(disk.layer, scene, acknowledged, what);
        }
      });
    }

    test(`${how}, by a power loss at any of its calls: nothing readable is lost`, async (t) => {
      const root = await freshFolder(t);
      const chance = chanceOf(7);
      for (let call = 1, reached = true; reached; call += STEP) {
        const disk = new PowerLossDisk();
        const scene = await damaged(disk.layer, root, withMirror);
        disk.diesAt = disk.calls + call;
        const ledger = await openLedgerOn(disk.layer, scene.options).catch(() => null);
        await ledger?.repair(ORDER).catch(() => undefined);
        reached = disk.isDead;
        await ledger?.close().catch(() => undefined);
        await assertKept(disk.afterPowerLoss(chance).layer, scene, new Map(), `power loss at call ${call}`);
      }
    });
  }
});
