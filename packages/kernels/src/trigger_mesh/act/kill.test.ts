import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deserialize } from 'node:v8';
import { poll } from '@grace/testkit';
import type { FiringRecord } from '../fired/record.ts';
import type { Intention } from './intention.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/fires-until-killed.ts', import.meta.url));
const LIVES = 3;

/** What it leaves in `home` when it is killed goes with the test. */
const start = (home: string, ...args: string[]) =>
  spawn(process.execPath, [FIXTURE, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, TMPDIR: home },
  });

function taken(file: string): { n: number; key: string }[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line));
}

/** What the journal holds: firings that were intended and not ended, and those that ended. */
function journal(state: string) {
  const db = new DatabaseSync(join(state, 'store.sqlite'));
  try {
    const open = db.prepare('SELECT intention FROM intended').all() as { intention: Uint8Array }[];
    const ended = db.prepare('SELECT record FROM fired').all() as { record: string }[];
    return {
      intended: open.map(({ intention }) => (deserialize(intention) as Intention).firing),
      ended: ended.map(({ record }) => JSON.parse(record) as FiringRecord),
    };
  } finally {
    db.close();
  }
}

describe('kill -9 in the middle of firings', () => {
  test('loses none that was on record, and repeats none without its key', async () => {
    const home = mkdtempSync(join(tmpdir(), 'grace-mesh-'));
    const state = join(home, 'state');
    const file = join(home, 'taken');
    mkdirSync(state);
    const intended = new Set<string>();
    let interrupted = 0;
    try {
      for (let life = 0; life < LIVES; life++) {
        const before = taken(file).length;
        const child = start(home, state, file, String(life * 1_000_000));
        const ended = once(child, 'exit');
        try {
          await poll('some firings', () => taken(file).length > before + 40 + life, { everyMs: 1, deadlineMs: 60_000 });
        } finally {
          child.kill('SIGKILL');
          await ended;
        }
        const { intended: open } = journal(state);
        for (const firing of open) intended.add(firing);
        interrupted += open.length;
      }
      assert.ok(interrupted > 0, 'some firing was in the middle when its process died');
      const last = start(home, state, file);
      assert.deepEqual(await once(last, 'exit'), [0, null]);

      const { intended: open, ended } = journal(state);
      assert.deepEqual(open, []);
      const done = new Set(ended.filter(({ outcome }) => outcome === 'done').map(({ firing }) => firing));
      for (const firing of intended) assert.ok(done.has(firing), `${firing} was intended and is not done`);
      assert.equal(new Set(ended.map(({ firing }) => firing)).size, ended.length, 'each firing has one end');
      const all = taken(file);
      for (const { firing } of ended)
        assert.ok(
          all.some(({ key }) => key === firing),
          `${firing} was not taken`,
        );
      const keyOf = new Map<number, string>();
      for (const { n, key } of all) {
        assert.equal(keyOf.get(n) ?? key, key, `event ${n} was taken with two keys`);
        keyOf.set(n, key);
      }
      assert.equal(new Set(keyOf.values()).size, keyOf.size, 'each event has a key of its own');
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
