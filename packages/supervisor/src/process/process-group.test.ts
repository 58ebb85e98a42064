import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { poll } from '@grace/testkit';
import { endRemains, HOME_MARK } from './process-group.ts';

const HOME = '/a/home/of/this/test';
const skip = process.platform === 'linux' ? false : 'process groups are read from /proc';

/** A group leader that starts a program which outlives it, and tells its pid. */
async function abandon(home: string): Promise<{ leader: number; left: number }> {
  const start =
    "const { spawn } = require('node:child_process'); console.log(spawn('sleep', ['60']).pid); setInterval(() => {}, 1000);";
  const child = spawn(process.execPath, ['-e', start], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, [HOME_MARK]: home },
  });
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  return { leader: child.pid!, left: Number(line.toString()) };
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('what a process of the home had started ends with it, and nothing of another home', { skip }, async (t) => {
  const own = await abandon(HOME);
  const other = await abandon('/another/home');
  t.after(() => process.kill(other.left, 'SIGKILL'));
  assert.ok(runs(own.left) && runs(other.left), 'both outlive their leader');
  assert.deepEqual(endRemains(own.leader, HOME), [own.left]);
  assert.deepEqual(endRemains(other.leader, HOME), []);
  await poll('it has ended', () => !runs(own.left));
  assert.ok(runs(other.left));
});
