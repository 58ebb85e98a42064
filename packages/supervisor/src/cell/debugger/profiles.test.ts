import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { statisticsFile } from '../../evidence/folder.ts';
import { BUSY_THREAD, busyThread, lineOf } from './fixtures/rig.ts';
import type { CpuProfile } from './profile-shares.ts';
import { createProfiles } from './profiles.ts';

function home(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'grace-profiles-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

describe('a profile', () => {
  test('of the processor names the function that burns, and developer tools can open it', async (t) => {
    const dir = home(t);
    const thread = await busyThread(t);
    thread.begin('spin');
    await thread.burns();
    const file = join(dir, 'evidence/k/1.cpuprofile');
    const { bytes, top } = await createProfiles(dir).record(thread.handle, { kind: 'cpu', durationMs: 300, file });
    assert.match(top[0]!, /^\d+ % spinHere /);
    assert.ok(top[0]!.endsWith(`${BUSY_THREAD}:${lineOf(BUSY_THREAD, 'function spinHere')}`), top[0]!);
    assert.equal(statSync(file).size, bytes);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile & { samples: number[]; timeDeltas: number[] };
    assert.ok(profile.nodes.some(({ callFrame }) => callFrame.functionName === 'spinHere'));
    assert.equal(profile.samples.length, profile.timeDeltas.length);
    assert.ok(profile.samples.length > 10);
  });

  test('of the heap names the function whose objects stay, and says how full it is', async (t) => {
    const dir = home(t);
    const thread = await busyThread(t);
    const file = join(dir, 'evidence/k/1.heapprofile');
    thread.begin('leak');
    const { top } = await createProfiles(dir).record(thread.handle, { kind: 'heap', durationMs: 700, file });
    assert.match(top[0]!, /^\d+ % \(\d+ KiB\) leakHere /);
    assert.ok(JSON.parse(readFileSync(file, 'utf8')).head.children.length > 0);
    assert.ok(JSON.parse(readFileSync(statisticsFile(file), 'utf8')).used_heap_size > 0);
  });

  test('is refused of a thread that is gone, twice at once, for ever, and outside the evidence folder', async (t) => {
    const dir = home(t);
    const profiles = createProfiles(dir);
    const thread = await busyThread(t);
    const file = join(dir, 'evidence/k/1.cpuprofile');
    const order = { kind: 'cpu', durationMs: 200, file } as const;
    await assert.rejects(profiles.record(thread.handle, { ...order, durationMs: 0 }), { code: 'BAD_INPUT' });
    await assert.rejects(profiles.record(thread.handle, { ...order, durationMs: 1e9 }), { code: 'BAD_INPUT' });
    await assert.rejects(profiles.record(thread.handle, { ...order, durationMs: Number.NaN }), { code: 'BAD_INPUT' });
    await assert.rejects(profiles.record(thread.handle, { ...order, file: join(dir, 'evidence/../state/x') }), {
      code: 'BAD_INPUT',
    });
    const first = profiles.record(thread.handle, order);
    await assert.rejects(profiles.record(thread.handle, order), { code: 'CONFLICT' });
    await first;
    const long = profiles.record(thread.handle, { ...order, durationMs: 30_000 });
    const refused = assert.rejects(long, { code: 'KERNEL_GONE' });
    await thread.handle.worker.terminate();
    await refused;
    await assert.rejects(profiles.record(thread.handle, order), { code: 'KERNEL_GONE' });
  });

  test('misses its deadline in native code, and does not run on when that ends', async (t) => {
    const dir = home(t);
    const thread = await busyThread(t);
    const profiles = createProfiles(dir, 200);
    thread.begin('hash', '1000000');
    await thread.burns();
    const order = { kind: 'cpu', durationMs: 100, file: join(dir, 'evidence/k/1.cpuprofile') } as const;
    await assert.rejects(profiles.record(thread.handle, order), { code: 'DEADLINE' });
    await thread.says('done hash');
    thread.begin('spin');
    assert.match((await createProfiles(dir).record(thread.handle, order)).top[0]!, /spinHere/);
  });

  test('ends when its thread crashes', async (t) => {
    const dir = home(t);
    const thread = await busyThread(t);
    const file = join(dir, 'evidence/k/1.cpuprofile');
    const recording = createProfiles(dir).record(thread.handle, { kind: 'cpu', durationMs: 30_000, file });
    thread.begin('crash');
    await assert.rejects(recording, { code: 'KERNEL_GONE' });
  });
});
