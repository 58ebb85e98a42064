import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshFolder } from '../test/folder.ts';
import { chanceOf, PowerLossDisk } from '../test/power-loss.ts';
import { type LedgerOptions, openLedgerOn } from './ledger.ts';
import { readRecords } from './read.ts';
import { verifyLedgerOn } from './verify.ts';

/** Thousands by command: `GRACE_POWER_LOSSES=5000`. */
const SEEDS = Number(process.env['GRACE_POWER_LOSSES'] ?? 20);
const LOSSES = 3;

for (const writeThrough of [false, true]) {
  const how = writeThrough ? 'written through' : 'in groups';
  test(`${SEEDS} seeds, ${LOSSES} power losses each, ${how}: what was acknowledged is there, and the ledger opens and verifies`, async (t) => {
    const dir = `${await freshFolder(t)}/ledger`;
    for (let seed = 1; seed <= SEEDS; seed++) await loseAgainAndAgain(dir, seed, writeThrough);
  });
}

async function loseAgainAndAgain(dir: string, seed: number, writeThrough: boolean): Promise<void> {
  const chance = chanceOf(seed);
  const acknowledged = new Map<number, string>();
  let disk = new PowerLossDisk();
  for (let loss = 0; loss < LOSSES; loss++) {
    const options: LedgerOptions = { dir, segmentBytes: 1500, groupCommitMs: 0, maxBatch: 5, writeThrough };
    disk.diesAt = disk.calls + 1 + Math.floor(chance() * 160);
    const ledger = await openLedgerOn(disk.layer, options).catch((error) => {
      assert.ok(disk.isDead, `seed ${seed}, loss ${loss}: ${error.message}`);
      return null;
    });
    for (let made = 0; ledger && !disk.isDead; ) {
      const texts = Array.from(
        { length: 1 + Math.floor(chance() * 9) },
        () => `${loss}-${made++} ${'#'.repeat(chance() * 700)}`,
      );
      const answers = await Promise.allSettled(texts.map((text) => ledger.append(text)));
      for (const [i, answer] of answers.entries()) {
        if (answer.status === 'fulfilled') acknowledged.set(answer.value.seq, texts[i]!);
      }
    }
    await ledger?.close().catch(() => undefined);
    disk = disk.afterPowerLoss(chance);
    const again = await openLedgerOn(disk.layer, options).catch((error) => {
      throw new Error(`seed ${seed}, loss ${loss}: it does not open: ${error.message}`);
    });
    await again.close();
    const what = `seed ${seed}, loss ${loss}`;
    assert.deepEqual((await verifyLedgerOn(disk.layer, dir, { isQuiet: true })).problems, [], what);
    const found = new Map<number, string>();
    for await (const { seq, payload } of readRecords(disk.layer, dir, { from: 1, limit: 1e6 })) {
      found.set(seq, Buffer.from(payload).toString());
    }
    for (const [seq, text] of acknowledged) assert.equal(found.get(seq), text, `${what}, record ${seq}`);
  }
}
