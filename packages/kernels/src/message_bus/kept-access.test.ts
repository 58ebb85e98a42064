import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { KeptAccess } from '@grace/bus/broker';
import { AccessKeeper } from './kept-access.ts';

function folder(t: { after(work: () => void): void }) {
  const dir = mkdtempSync(join(tmpdir(), 'grace-kept-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const warned: string[] = [];
  const log = { trace() {}, debug() {}, info() {}, error() {}, warn: (message: string) => void warned.push(message) };
  /** A machine that has been up for so long. */
  const keeper = (upMs: number) => new AccessKeeper(dir, { wallMs: () => 1_000_000 + upMs, monoMs: () => upMs }, log);
  return { dir, warned, keeper };
}

const mute = { principal: 'a', level: 2, denied: 300, lastSubject: 'b.c' };
const permit = { id: 'p', principal: 'b', publish: ['x.>'], subscribe: [] };

test('what is kept is the same for the next broker, and for the machine that was started anew', async (t) => {
  const { dir, keeper } = folder(t);
  const kept: KeptAccess = {
    mutes: [
      { ...mute, untilMono: 9000, lastDeniedMono: 4000 },
      { ...mute, untilMono: 0, lastDeniedMono: 4500 },
    ],
    permits: [{ ...permit, untilMono: 8000 }],
  };
  const first = keeper(5000);
  first.follow(() => kept);
  await Promise.all([first.changed(), first.changed()]);
  assert.equal(statSync(join(dir, 'access.json')).mode & 0o777, 0o600);
  assert.deepEqual(await keeper(6000).load(), kept);
  // The same wall time, with a clock that began again 5.9 s later.
  const reborn = new AccessKeeper(dir, { wallMs: () => 1_006_000, monoMs: () => 100 }, { warn() {} } as never);
  const { mutes, permits } = await reborn.load();
  assert.deepEqual(
    [
      mutes.map(({ untilMono, lastDeniedMono }) => [untilMono, lastDeniedMono]),
      permits.map(({ untilMono }) => untilMono),
    ],
    [
      [
        [3100, -1900],
        [0, -1400],
      ],
      [2100],
    ],
  );
});

test('where nothing was kept nothing is there; what cannot be read, or kept, is said', async (t) => {
  const { dir, warned, keeper } = folder(t);
  const nothing = { mutes: [], permits: [] };
  assert.deepEqual([await keeper(1).load(), warned], [nothing, []]);
  writeFileSync(join(dir, 'access.json'), '{"mutes":[{');
  assert.deepEqual(await keeper(1).load(), nothing);
  assert.deepEqual(warned, ['mutes and permits of the broker before could not be read']);
  rmSync(dir, { recursive: true });
  const last = keeper(1);
  last.follow(() => nothing);
  await last.changed();
  assert.deepEqual(warned.slice(1), ['mutes and permits could not be kept']);
});
