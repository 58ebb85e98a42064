import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { segmentBytes } from '../../test/segment-bytes.ts';
import { bytesThere, DAMAGES, damageRecord, readDamage, takeBack } from './record-damage.ts';
import { newestSegment } from './segment-view.ts';

function bed(t: TestContext, count = 40) {
  const home = mkdtempSync(join(tmpdir(), 'grace-damage-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const folder = join(home, 'ledger');
  mkdirSync(folder);
  const path = join(folder, '0000000000000001.segment');
  const { bytes, records } = segmentBytes(count);
  writeFileSync(path, bytes);
  return { folder, keep: join(home, 'kept'), path, bytes, records, read: () => readFileSync(path) };
}

describe('damage to a record', () => {
  test('flipped bytes are in one record, and nothing else is changed', (t) => {
    const { folder, keep, bytes, read } = bed(t);
    const damage = damageRecord(folder, 'flip', keep);
    const now = read();
    const changed = [...now.keys()].filter((at) => now[at] !== bytes[at]);
    const record = newestSegment(folder)!.records.find(({ seq }) => seq === damage.seq)!;
    assert.equal(changed.length, 3);
    assert.ok(changed.every((at) => at > record.offset && at < record.offset + record.bytes));
    assert.deepEqual([damage.seq, damage.offset], [21, record.offset]);
  });

  test('a removed record leaves no trace but the place where it was', (t) => {
    const { folder, keep, records, read } = bed(t);
    const { seq } = damageRecord(folder, 'remove', keep);
    const without = records.filter((_, i) => i !== seq - 1);
    assert.deepEqual(read().subarray(64), Buffer.concat(without));
  });

  for (const damage of DAMAGES) {
    test(`${damage}: is taken back to the byte, also when its writer has gone on, and once`, (t) => {
      const { folder, keep, path, bytes, read } = bed(t);
      damageRecord(folder, damage, keep);
      // A writer that lives writes where the end was.
      const more = Buffer.from('what its writer adds');
      if (damage === 'flip') appendFileSync(path, more);
      else writeFileSync(path, Buffer.concat([read(), Buffer.alloc(bytes.length - read().length), more]));
      assert.equal(takeBack(keep), true);
      assert.deepEqual(read(), Buffer.concat([bytes, more]));
      assert.equal(takeBack(keep), true);
      assert.deepEqual(read(), Buffer.concat([bytes, more]));
    });

    test(`${damage}: what somebody has repaired or moved is left alone`, (t) => {
      const { folder, keep, path, bytes, read } = bed(t);
      const done = damageRecord(folder, damage, keep);
      assert.equal(bytesThere(done), done.after);
      const repaired = Buffer.concat([bytes, Buffer.from('repaired')]);
      writeFileSync(path, repaired);
      assert.notEqual(bytesThere(done), done.after);
      assert.equal(takeBack(keep), true);
      assert.deepEqual(read(), repaired);
      renameSync(path, `${path}.sealed`);
      assert.equal(bytesThere(done), null);
      assert.equal(takeBack(keep), true);
    });
  }

  test('what was done is on disk before it is done, and where nothing was done nothing is taken back', (t) => {
    const { folder, keep } = bed(t);
    assert.equal(readDamage(keep), null);
    assert.equal(takeBack(keep), true);
    const done = damageRecord(folder, 'flip', keep);
    assert.deepEqual(readDamage(keep), done);
  });

  test('a record that is too short to have a middle is refused', (t) => {
    const { folder, keep, read, bytes } = bed(t, 5);
    assert.throws(() => damageRecord(folder, 'remove', keep), { code: 'FAULT_TARGET' });
    assert.deepEqual(read(), bytes);
  });
});

describe('the look at a segment', () => {
  test('ends where the last whole record ends, and sees what stands behind it', (t) => {
    const { folder, path, bytes } = bed(t, 10);
    assert.deepEqual([newestSegment(folder)!.end, newestSegment(folder)!.records.length], [bytes.length, 10]);
    appendFileSync(path, segmentBytes(1, 11).records[0]!.subarray(0, 50));
    const torn = newestSegment(folder)!;
    assert.deepEqual([torn.end, torn.bytes.length - torn.end], [bytes.length, 50]);
  });

  test('takes the newest of several, and none where there is none', (t) => {
    const { folder } = bed(t, 10);
    writeFileSync(join(folder, '0000000000000011.segment'), segmentBytes(3, 11).bytes);
    assert.deepEqual(
      newestSegment(folder)!.records.map(({ seq }) => seq),
      [11, 12, 13],
    );
    mkdirSync(join(folder, 'sealed'));
    assert.equal(newestSegment(join(folder, 'sealed')), null);
  });
});
