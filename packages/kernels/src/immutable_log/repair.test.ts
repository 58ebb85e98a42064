import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import type { EventMap } from '@grace/contracts';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import type { AuditRecord } from './entry.ts';
import kernel from './kernel.ts';
import type { Receipt } from './recorder.ts';
import type { RepairAnswer } from './repair.ts';

const ENTRY = { actor: 'ada', action: 'open', subsystem: 'house', outcome: 'ok' };
const ENTRIES = 20;
const STRUCK = 5;

/** Twenty entries, and a byte of the fifth is flipped. */
async function damaged(
  t: TestContext,
  config: Record<string, unknown>,
  before: (rig: KernelRig) => Promise<void> = async () => {},
): Promise<KernelRig> {
  const rig = await rigKernels([kernel], { config: { immutable_log: { witness: 'off', ...config } } });
  t.after(() => rig.close());
  for (let i = 1; i <= ENTRIES; i++) await append(rig, `r${i}.`);
  const mirrored = async () =>
    config['mirror'] === 'off' ||
    ((await rig.call('immutable_log', 'status')) as { mirror: { seq: number } }).mirror.seq >= ENTRIES;
  await poll('the mirror has it', mirrored);
  await before(rig);
  const dir = join(rig.stateDir('immutable_log'), 'ledger');
  const path = join(dir, (await readdir(dir)).find((name) => name.endsWith('.segment'))!);
  const bytes = await readFile(path);
  bytes[bytes.indexOf(`r${STRUCK}.`)]! ^= 1;
  await writeFile(path, bytes);
  return rig;
}

const append = (rig: KernelRig, resource: string) =>
  rig.call('immutable_log', 'append', { ...ENTRY, resource }) as Promise<Receipt>;
const repair = (rig: KernelRig, input = {}) => rig.call('immutable_log', 'repair', input) as Promise<RepairAnswer>;
const resources = async (rig: KernelRig) => {
  const { entries } = (await rig.call('immutable_log', 'read', { from: 1, limit: 1000 })) as { entries: AuditRecord[] };
  return entries.filter(({ actor }) => actor === 'ada').map(({ resource }) => resource);
};

function told<N extends 'record:damaged' | 'record:repaired'>(rig: KernelRig, name: N): EventMap[N][] {
  return rig.reports.flatMap(({ event }) => (event.name === name ? [event.data as EventMap[N]] : []));
}

describe('damage of the running audit record', () => {
  test('is noticed without being asked, told with its kind and place, and comes back from the mirror', async (t) => {
    const rig = await damaged(t, { lookEveryMs: 50 });
    const [damage] = await poll('it is told', () =>
      told(rig, 'record:damaged').length > 0 ? told(rig, 'record:damaged') : null,
    );
    assert.deepEqual([damage!.problems[0]!.kind, damage!.problems[0]!.seq], ['checksum', STRUCK]);
    // Whoever repairs has time: a new thread would find the same files.
    assert.ok(((await rig.probe('immutable_log'))['damage'] as number) > 0);
    const [answer] = await Promise.all([repair(rig, { reason: 'test' }), append(rig, 'meanwhile')]);
    assert.deepEqual([answer.action, answer.restored.length, answer.lost], ['restored', 1, []]);
    assert.equal(told(rig, 'record:repaired')[0]!.action, 'restored');
    assert.equal((await rig.probe('immutable_log'))['damage'], undefined);
    assert.equal(((await rig.call('immutable_log', 'verify')) as { ok: boolean }).ok, true);
    const expected = Array.from({ length: ENTRIES }, (_, i) => `r${i + 1}.`);
    assert.deepEqual((await resources(rig)).sort(), [...expected, 'meanwhile'].sort());
  });

  test('without a mirror is sealed; what is readable is read and found, and seqs go on', async (t) => {
    const rig = await damaged(t, { lookEveryMs: 50, mirror: 'off' });
    assert.equal((await repair(rig, { dryRun: true })).action, 'sealed');
    const answer = await repair(rig);
    assert.deepEqual([answer.action, answer.lost], ['sealed', [{ from: STRUCK, to: STRUCK }]]);
    assert.ok((await append(rig, 'after')).seq > answer.last.seq);
    const found = await resources(rig);
    assert.equal(found.length, ENTRIES);
    assert.ok(!found.includes(`r${STRUCK}.`) && found.includes('after'));
    const search = async (resource: string) =>
      ((await rig.call('immutable_log', 'search', { resource })) as { entries: AuditRecord[] }).entries.length;
    assert.deepEqual([await search('r7.'), await search(`r${STRUCK}.`), await search('after')], [1, 0, 1]);
    const verified = (await rig.call('immutable_log', 'verify')) as { ok: boolean; epochs: { epoch: number }[] };
    assert.deepEqual([verified.ok, verified.epochs.map(({ epoch }) => epoch)], [true, [1]]);
    await rig.probe('immutable_log');
    await rig.restart('immutable_log');
    assert.equal((await resources(rig)).length, ENTRIES);
  });

  test('sealed while the index read: what it passed over is found again', async (t) => {
    const search = async (rig: KernelRig) =>
      ((await rig.call('immutable_log', 'search', { resource: 'r7.' })) as { entries: AuditRecord[] }).entries.length;
    const rig = await damaged(t, { lookEveryMs: 50, mirror: 'off' }, async (whole) => {
      assert.equal(await search(whole), 1);
      const dir = whole.stateDir('immutable_log');
      const name = (await readdir(dir)).find((file) => /\.(db|sqlite)$/.test(file))!;
      const db = new DatabaseSync(join(dir, name));
      db.exec("DELETE FROM entries WHERE resource = 'r7.'");
      db.close();
      assert.equal(await search(whole), 0);
    });
    assert.equal((await repair(rig)).action, 'sealed');
    assert.equal(await search(rig), 1);
  });

  test('that nobody repairs in time fails the probe, and the next start repairs it', async (t) => {
    const rig = await damaged(t, { lookEveryMs: 50, repairGraceMs: 300 });
    const refused = () =>
      rig.probe('immutable_log').then(
        () => false,
        ({ code }) => code === 'LEDGER_CORRUPT',
      );
    await poll('the probe fails', refused);
    await rig.restart('immutable_log');
    await rig.probe('immutable_log');
    assert.equal(told(rig, 'record:repaired').at(-1)!.action, 'restored');
    assert.equal((await resources(rig)).length, ENTRIES);
  });
});
