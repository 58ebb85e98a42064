import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createStore } from '@grace/kernel-sdk';
import { createRecords, RUN_TABLES } from '../runs/records.ts';
import { MARK } from './proc.ts';
import { reapRuns } from './reap.ts';

test('a program that was started and not yet recorded is known by its mark, and one with a recycled pid is left alone', async () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'grace-reap-')));
  const runsDir = join(home, 'runs');
  const store = createStore(home);
  const start = (env: Record<string, string>) =>
    spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { env, detached: true, stdio: 'ignore' });
  mkdirSync(join(runsDir, 'a'), { recursive: true });
  const marked = start({ [MARK]: join(runsDir, 'a') });
  const bystander = start({});
  try {
    await Promise.all([once(marked, 'spawn'), once(bystander, 'spawn')]);
    store.migrate([RUN_TABLES]);
    const records = createRecords(store, 10);
    const facts = {
      kind: 'execute',
      by: 'test',
      hash: '',
      what: 'node',
      limits: {},
      isolation: {},
      askedMs: 1,
    } as const;
    records.begin({ ...facts, id: 'a' });
    records.begin({ ...facts, id: 'b' });
    records.process('b', bystander.pid!, 1);
    const ended = once(marked, 'exit');
    assert.deepEqual(await reapRuns(records, runsDir, 2), ['a', 'b']);
    assert.equal((await ended)[1], 'SIGKILL');
    assert.deepEqual([bystander.exitCode, bystander.signalCode], [null, null]);
    assert.deepEqual(records.counts(), { lost: 2 });
    assert.ok(!existsSync(runsDir));
  } finally {
    marked.kill('SIGKILL');
    bystander.kill('SIGKILL');
    store.close();
    rmSync(home, { recursive: true, force: true });
  }
});
