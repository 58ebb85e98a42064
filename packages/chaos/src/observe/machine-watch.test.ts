import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { poll } from '@grace/testkit';
import { statusOf } from '../../test/control-stand-in.ts';
import { familyCpuMs, machineCpu } from '../fault/process-table.ts';
import { watchMachine } from './machine-watch.ts';

const needsProc = { skip: machineCpu() === null && 'needs /proc' };

function statusWith(supervisor: number) {
  const status = statusOf([]);
  return { ...status, system: { ...status.system, pid: supervisor }, cells: [], kernels: [] };
}

test('a supervisor that is stopped by a signal is seen, and not before or after', needsProc, async (t) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const watch = watchMachine(statusWith(child.pid!));
  t.after(() => watch.stop());
  const stopped = (): number =>
    watch
      .seen()
      .filter(({ of, by }) => of === 'supervisor' && by === 'stop')
      .reduce((sum, { ms }) => sum + ms, 0);
  assert.equal(stopped(), 0);
  child.kill('SIGSTOP');
  await poll('it is seen', () => stopped() > 300, { deadlineMs: 30_000 });
  child.kill('SIGCONT');
  const all = watch.stop();
  for (const [index, { fromMono, toMono, ms }] of all.entries()) {
    assert.ok(ms <= toMono - fromMono + 1, 'never more than the stretch');
    assert.ok(index === 0 || fromMono >= all[index - 1]!.toMono, 'one after the other');
  }
});

test('a runner that stood still says so, and lays it to nobody', needsProc, () => {
  const watch = watchMachine(statusWith(process.pid));
  const end = performance.now() + 500;
  while (performance.now() < end);
  const seen = watch.stop();
  assert.ok(
    seen.some(({ of, by, ms }) => of === 'runner' && by === 'unknown' && ms >= 300),
    JSON.stringify(seen),
  );
});

test('of a process that is gone nothing is claimed', () => {
  const watch = watchMachine(statusWith(2 ** 30));
  assert.ok(watch.stop().every(({ of }) => of !== 'supervisor'));
});

test('what a process and those it started have used is one account', needsProc, async (t) => {
  const child = spawn('sh', ['-c', 'sleep 60 & while :; do :; done'], { detached: true });
  t.after(() => process.kill(-child.pid!, 'SIGKILL'));
  await once(child, 'spawn');
  await poll('it has started its own', () => familyCpuMs([child.pid!]).size >= 2, { deadlineMs: 30_000 });
  const family = familyCpuMs([process.pid]);
  for (const pid of familyCpuMs([child.pid!]).keys()) assert.ok(family.has(pid), 'a grandchild belongs too');
  assert.ok(!family.has(process.ppid), 'the parent does not');
  await poll('it is seen to burn', () => (familyCpuMs([child.pid!]).get(child.pid!) ?? 0) > 50, { deadlineMs: 30_000 });
});
