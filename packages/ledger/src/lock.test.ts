import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { freshFolder } from '../test/folder.ts';
import { readAll } from '../test/records.ts';
import { openLedger } from './index.ts';

const HOLDER = fileURLToPath(new URL('../test/holder.ts', import.meta.url));

describe('the writer lock', () => {
  test('lets one writer in, and the next when it has closed', async (t) => {
    const dir = await freshFolder(t);
    const first = await openLedger({ dir });
    await assert.rejects(openLedger({ dir }), { code: 'CONFLICT' });
    await first.append('still mine');
    await first.close();
    const second = await openLedger({ dir });
    assert.equal(second.last.seq, 1);
    await second.close();
    assert.deepEqual(
      (await readdir(dir)).filter((name) => name.endsWith('.lock')),
      [],
    );
  });

  test('of many who open at once, never two get in', async (t) => {
    const dir = await freshFolder(t);
    const workers = Array.from({ length: 6 }, () => new Worker(HOLDER, { workerData: { dir } }));
    t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
    const outcome = (worker: Worker) =>
      once(worker, 'message').then(
        () => 'in',
        (error) => error.code,
      );
    const outcomes = await Promise.all(workers.map(outcome));
    assert.ok(outcomes.filter((outcome) => outcome === 'in').length <= 1, outcomes.join(' '));
    for (const code of outcomes) assert.ok(code === 'in' || code === 'CONFLICT', code);
  });

  test('of a killed process is taken over', async (t) => {
    const dir = await freshFolder(t);
    const holder = spawn(process.execPath, [HOLDER, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    await assert.rejects(openLedger({ dir }), { code: 'CONFLICT', details: { dir, pid: holder.pid, tid: holder.pid } });
    assert.equal((await readAll(dir)).length, 1);
    holder.kill('SIGKILL');
    await once(holder, 'close');
    const ledger = await openLedger({ dir });
    assert.equal(ledger.last.seq, 1);
    await ledger.close();
  });

  test('of a terminated thread is taken over while its process lives', {
    skip: process.platform !== 'linux' && 'threads are told apart by /proc',
  }, async (t) => {
    const dir = await freshFolder(t);
    const holder = new Worker(HOLDER, { workerData: { dir } });
    await once(holder, 'message');
    await assert.rejects(openLedger({ dir }), { code: 'CONFLICT' });
    await holder.terminate();
    const ledger = await openLedger({ dir });
    assert.equal((await ledger.append('mine now')).seq, 2);
    await ledger.close();
  });

  test('of another boot, and of an owner whose number now belongs to another, is stale', async (t) => {
    const dir = await freshFolder(t);
    await writeFile(join(dir, `writer-${process.pid}-${process.pid}-1-0123456789ab.lock`), '');
    await writeFile(join(dir, `writer-1-1-999999999999-0123456789ab.lock`), '');
    const ledger = await openLedger({ dir });
    assert.equal((await readdir(dir)).filter((name) => name.endsWith('.lock')).length, 1);
    await ledger.close();
  });
});
