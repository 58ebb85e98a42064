import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { createClaims } from './claims.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/ticks-until-killed.ts', import.meta.url));
const LIVES = 3;
const PERIOD_MS = 100;

/** Kills the process around its due times, `LIVES` times over the same state; what it wrote and what it recorded. */
async function killedAgainAndAgain(home: string, attempts: number) {
  const state = join(home, 'state');
  const file = join(home, 'messages');
  mkdirSync(state);
  const written = (): { id: string; correlation: string }[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line.endsWith('}'))
          .map((line) => JSON.parse(line))
      : [];
  for (let life = 0; life < LIVES; life++) {
    const before = written().length;
    const child = spawn(process.execPath, [FIXTURE, state, file, String(attempts)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // What it leaves when it is killed goes with the test.
      env: { ...process.env, TMPDIR: home },
    });
    const ended = once(child, 'exit');
    try {
      await once(child.stdout, 'data');
      await poll('some messages', () => written().length > before + 2, { everyMs: 5, deadlineMs: 60_000 });
      // Somewhere from just before the next due time to just after it: another place in each life.
      const dueMs = Date.parse(written().at(-1)!.correlation.split('@')[1]!) + PERIOD_MS;
      await poll('a due time', () => Date.now() >= dueMs - 6 + 4 * life, { everyMs: 1 });
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  }
  const store = createStore(state);
  try {
    return { messages: written(), runs: createClaims(store).history('tick', 10_000) };
  } finally {
    store.close();
  }
}

describe('kill -9 around the due time', { concurrency: true }, () => {
  for (const attempts of [1, 5]) {
    const words =
      attempts === 1 ? 'one attempt: each goes out at most once' : 'more attempts: each goes out, with the same key';
    test(`leaves exactly one record of each due time; with ${words}`, async () => {
      const home = mkdtempSync(join(tmpdir(), 'grace-kill-'));
      try {
        const { messages, runs } = await killedAgainAndAgain(home, attempts);
        const due = runs.map(({ dueMs }) => dueMs).sort((a, b) => a - b);
        assert.equal(new Set(due).size, due.length);
        // Whatever the overlap policy passed over is on record too, so there is no gap between the first due time and the last.
        assert.deepEqual(
          due,
          due.map((_, i) => due[0]! + i * PERIOD_MS),
        );
        const timesOf = (dueMs: number): number =>
          messages.filter(({ correlation }) => correlation === `tick@${new Date(dueMs).toISOString()}`).length;
        for (const { dueMs, state } of runs) {
          const times = timesOf(dueMs);
          if (attempts === 1) assert.ok(times <= 1, `${dueMs} ${state} went out ${times} times`);
          if (state === 'ok') assert.ok(times >= 1, `${dueMs} is recorded ok and did not go out`);
          if (attempts > 1) assert.notEqual(state, 'interrupted');
        }
        assert.equal(
          new Set(messages.map(({ correlation }) => correlation)).size,
          new Set(messages.map(({ id }) => id)).size,
        );
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
