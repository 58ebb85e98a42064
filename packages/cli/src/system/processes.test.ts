import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { identify, isRunning, killAll, untilGone } from './processes.ts';

const SLEEPER = ['-e', 'setInterval(() => {}, 1000); console.log("up")'];

async function startSleeper() {
  const child = spawn(process.execPath, SLEEPER, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('a process runs until it is ended, and its end is seen', async () => {
  const child = await startSleeper();
  const one = identify(child.pid!);
  assert.equal(isRunning(one), true);
  assert.deepEqual(await untilGone([one], 0), [one]);
  killAll([one]);
  assert.deepEqual(await untilGone([one], 20_000), []);
});

test('a later process with the same id is another one', async () => {
  const child = await startSleeper();
  try {
    const { pid, started } = identify(child.pid!);
    assert.ok(started !== undefined);
    assert.equal(isRunning({ pid, started: String(Number(started) - 1) }), false);
    killAll([{ pid, started: String(Number(started) - 1) }]);
    assert.equal(isRunning({ pid, started }), true);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

test('a zombie is gone: it only waits for its parent to take notice', async () => {
  // The shell starts a child, replaces itself by a program that never waits for it, and so leaves a zombie.
  const parent = spawn('sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = identify(Number(String(line).trim()));
    assert.deepEqual(await untilGone([zombie], 20_000), []);
    assert.doesNotThrow(() => process.kill(zombie.pid, 0), 'the operating system still lists it');
  } finally {
    parent.kill('SIGKILL');
    await once(parent, 'close');
  }
});
