import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bootSystem, openSite, poll, type System } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

const entry = { actor: 'tester', action: 'wrote', resource: 'x'.repeat(1500), subsystem: 'test', outcome: 'ok' };
const disk = mkdtempSync(join(tmpdir(), 'grace-disk-'));
const skip = mounted() ? false : 'a small file system can be mounted by root alone';
const filler = join(disk, 'filler');

function mounted(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0777', 'tmpfs', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Writes until nothing more fits, to the last byte. */
function fill(): void {
  for (let size = 1 << 20; size >= 1; size >>= 4) {
    for (let bytes = Buffer.alloc(size); ; ) {
      try {
        writeFileSync(filler, bytes, { flag: 'a' });
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
        break;
      }
    }
  }
}

after(() => {
  if (!skip) execFileSync('umount', ['-l', disk]);
  rmSync(disk, { recursive: true, force: true });
});

describe('on a disk that is full', { skip }, () => {
  let system: System;
  let acknowledged = 0;
  before(async () => {
    system = await bootSystem({ ...misbehavingKernels({ victim: {} }), args: [], home: join(disk, 'home') });
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
    acknowledged = (await system.call<{ seq: number }>('immutable_log', 'append', entry)).seq;
    fill();
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('an append is refused with STORAGE_FULL, and what was acknowledged stays', async () => {
    await poll('appends are refused', async () => {
      try {
        acknowledged = (await system.call<{ seq: number }>('immutable_log', 'append', entry)).seq;
        return false;
      } catch (error) {
        assert.equal((error as { code: string }).code, 'STORAGE_FULL', String(error));
        return true;
      }
    });
    const { entries } = await system.call<{ entries: { seq: number }[] }>('immutable_log', 'read', {
      from: acknowledged,
      limit: 1,
    });
    assert.equal(entries[0]?.seq, acknowledged);
  });

  test('supervision goes on, and status says that the journal is refused', async () => {
    const { incarnation } = await system.kernel('victim');
    await system.call('victim', 'crash');
    await system.back('victim', incarnation);
    await poll('refused records are counted', async () => (await system.status()).system.journalRefused > 0);
    for (const { id, state } of (await system.status()).kernels) {
      assert.ok(['running', 'backoff', 'starting', 'probing', 'waiting'].includes(state), `${id} is ${state}`);
    }
  });

  test('service is whole again once there is space', async () => {
    rmSync(filler);
    assert.ok(statfsSync(disk).bfree > 0);
    const { seq } = await poll(
      'appends are accepted',
      () => system.call<{ seq: number }>('immutable_log', 'append', entry),
      {
        deadlineMs: 40_000,
      },
    );
    assert.ok(seq > acknowledged);
    await poll('every kernel runs', async () => (await system.status()).system.state === 'running', {
      deadlineMs: 40_000,
    });
    await system.call('memory_fusion', 'remember', { text: 'space again' });
    const { journalRefused } = (await system.status()).system;
    const { incarnation } = await system.kernel('victim');
    await system.call('victim', 'crash');
    await system.back('victim', incarnation);
    assert.equal((await system.status()).system.journalRefused, journalRefused, 'the journal is written again');
    const verified = await system.grace('log', 'verify');
    assert.equal(verified.code, 0, verified.stdout);
  });

  test('leaves nothing behind when it stops', async () => {
    await system.stop();
  });

  // What is left decides who meets the end of the disk: the command line, the supervisor, or the kernels.
  for (const freeKb of [0, 4, 8, 12, 16, 24, 64]) {
    test(`a boot with ${freeKb} KiB to write on says that the disk is full, and leaves nothing`, async () => {
      fill();
      truncateSync(filler, statSync(filler).size - freeKb * 1024);
      const site = openSite({ home: join(disk, 'second') });
      try {
        const { code, stdout, stderr } = await site.grace('boot', '--detach', '--only', 'scheduler');
        assert.equal(code, 1, stderr);
        assert.match(stdout + stderr, /STORAGE_FULL: /);
        await site.stop();
      } finally {
        await site.close({ mayLeave: true });
        rmSync(filler);
        rmSync(join(disk, 'second'), { recursive: true, force: true });
      }
    });
  }
});
