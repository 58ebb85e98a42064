import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HOME } from '@grace/contracts';
import { lockHome } from './lock.ts';

const TAKER = fileURLToPath(new URL('../../test/fixtures/home-taker.mjs', import.meta.url));
const STARTERS = 20;
const DEAD = { pid: 4_000_000, startTicks: '7' };

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'grace-lock-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function homeWith(name: string, files: Record<string, object>): string {
  const home = join(folder, name);
  mkdirSync(join(home, dirname(HOME.lock)), { recursive: true });
  for (const [file, owner] of Object.entries(files)) writeFileSync(join(home, file), JSON.stringify(owner));
  return home;
}

const filesOf = (home: string): string[] => readdirSync(join(home, dirname(HOME.lock)));
const claimOn = (owner: { pid: number; startTicks: string }): string =>
  `${HOME.lock}.after-${owner.pid}-${owner.startTicks}`;

describe('the lock of a home', { timeout: 60_000 }, () => {
  test('is taken, refuses a second one naming the owner, and leaves nothing when it is given back', () => {
    const home = join(folder, 'plain');
    const lock = lockHome(home);
    assert.throws(() => lockHome(home), { code: 'HOME_TAKEN', details: { pid: process.pid, home } });
    assert.deepEqual(filesOf(home), ['supervisor.lock']);
    lock.release();
    assert.deepEqual(filesOf(home), []);
  });

  test('of a dead owner is taken over, also when its successor died in the middle of that, and when that one did', () => {
    const second = { pid: 4_000_001, startTicks: '8' };
    const third = { pid: 4_000_002, startTicks: '9' };
    const deaths: Record<string, object>[] = [
      { [HOME.lock]: DEAD },
      { [HOME.lock]: DEAD, [claimOn(DEAD)]: second },
      { [HOME.lock]: DEAD, [claimOn(DEAD)]: second, [`${claimOn(DEAD)}.after-${second.pid}-8`]: third },
      { [HOME.lock]: second, [claimOn(DEAD)]: second },
      { [HOME.lock]: [] },
      { [HOME.lock]: DEAD, [`${HOME.lock}.${second.pid}-8`]: second, [`${HOME.lock}.${second.pid}-8.new`]: second },
    ];
    for (const [i, files] of deaths.entries()) {
      const home = homeWith(`dead-${i}`, files);
      const lock = lockHome(home);
      assert.equal(JSON.parse(readFileSync(join(home, HOME.lock), 'utf8')).pid, process.pid);
      assert.deepEqual(filesOf(home), ['supervisor.lock'], `case ${i}`);
      lock.release();
    }
  });

  test('of a process whose number another one has by now is taken over', () => {
    const home = homeWith('reused', { [HOME.lock]: { pid: process.pid, startTicks: '1' } });
    lockHome(home).release();
  });

  test(`goes to exactly one of ${STARTERS} processes that start at once, free, left by a dead one, or half taken over`, async () => {
    const takers = Array.from({ length: STARTERS }, startTaker);
    try {
      await Promise.all(takers.map(({ lines }) => lines.next()));
      for (let round = 0; round < 12; round++) {
        const half = { [HOME.lock]: DEAD, [claimOn(DEAD)]: { pid: 4_000_001, startTicks: '8' } };
        const home = homeWith(`round-${round}`, [{}, { [HOME.lock]: DEAD }, half][round % 3]!);
        const at = Date.now() + 60;
        for (const { child } of takers) child.stdin!.write(`${home} ${at}\n`);
        const said = await Promise.all(takers.map(async ({ lines }) => String((await lines.next()).value)));
        assert.equal(said.filter((word) => word === 'won').length, 1, `round ${round}: ${said.join(', ')}`);
        assert.ok(
          said.every((word) => word === 'won' || word.startsWith('HOME_TAKEN')),
          said.join(', '),
        );
        const owner = JSON.parse(readFileSync(join(home, HOME.lock), 'utf8')) as { pid: number };
        assert.equal(owner.pid, takers[said.indexOf('won')]!.child.pid);
      }
    } finally {
      for (const { child } of takers) child.kill('SIGKILL');
      await Promise.all(takers.map(({ child }) => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
    }
  });
});

function startTaker(): { child: ChildProcess; lines: AsyncIterator<string> } {
  const child = spawn(process.execPath, [TAKER], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: createInterface({ input: child.stdout! })[Symbol.asyncIterator]() };
}
