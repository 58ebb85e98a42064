import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, chmod, cp, mkdir, readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { GraceError } from '@grace/contracts';
import { freshFolder } from '../../test/folder.ts';
import { appendMany, ORIGIN, openTreeSite, SIGNER } from '../../test/tree-site.ts';
import { until } from '../../test/until.ts';
import { readWitnessState, signerOf } from '../tree/index.ts';
import { originHash } from '../tree/witness-state.ts';
import { WitnessCosigner } from './cosigner.ts';
import { WitnessProcess } from './process.ts';

const DEADLINE_MS = 20_000;

/** What is left of a child whose thread is gone stays in the table until its process ends; it does not run. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat !== null && stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
}

async function started(t: TestContext, dir: string, log = SIGNER.verifier.vkey, deadlineMs = DEADLINE_MS) {
  const problems: (string | null)[] = [];
  const witness = new WitnessProcess({
    dir,
    name: 'example.com/witness',
    log,
    onChange: (problem) => problems.push(problem),
  });
  t.after(() => witness.close());
  witness.start();
  const cosigner = new WitnessCosigner(witness.place, deadlineMs, (answered) => witness.heard(answered));
  const ready = () => until(t, 'the witness is ready', () => witness.pid);
  return { witness, cosigner, problems, ready };
}

const code = (expected: string) => (error: unknown) => error instanceof GraceError && error.code === expected;

describe('the process of a witness', () => {
  test('cosigns what grows, and keeps it in its own folder', async (t) => {
    const dir = await freshFolder(t);
    const { cosigner, ready } = await started(t, join(dir, 'witness'));
    await ready();
    const site = await openTreeSite(t, dir, { cosigners: [cosigner] });
    for (const count of [1, 300, 20]) {
      await appendMany(site.ledger, site.ledger.last.seq, count);
      const { size, root, cosignatures } = await site.tree.publish();
      assert.deepEqual(
        cosignatures.map(({ name }) => name),
        ['example.com/witness'],
      );
      const { head } = (await readWitnessState(site.witnessDir, ORIGIN))!;
      assert.deepEqual([head!.size, head!.root], [size, root]);
    }
    assert.equal(site.tree.failure, null);
    assert.equal(cosigner.status.size, 321);
  });

  test('ends when its owner closes it, when the thread of its owner is ended, and is started again when it dies', async (t) => {
    const dir = await freshFolder(t);
    const { witness, ready } = await started(t, join(dir, 'a'));
    const first = await ready();
    process.kill(first, 'SIGKILL');
    const second = await until(t, 'it was started again', () => witness.pid !== first && witness.pid);
    await witness.close();
    assert.equal(await isAlive(second), false);

    const worker = new Worker(
      `import(process.env.OWNER).then(({ WitnessProcess }) => {
        const { parentPort, workerData } = require('node:worker_threads');
        const witness = new WitnessProcess({ ...workerData, onChange: () => witness.pid && parentPort.postMessage(witness.pid) });
        witness.start();
      });`,
      {
        eval: true,
        env: { ...process.env, OWNER: new URL('./process.ts', import.meta.url).href },
        workerData: { dir: join(dir, 'b'), name: 'example.com/witness', log: SIGNER.verifier.vkey },
      },
    );
    t.after(() => worker.terminate());
    const [pid] = (await once(worker, 'message')) as [number];
    assert.equal(await isAlive(pid), true);
    await worker.terminate();
    await until(t, 'it ended with the thread', async () => !(await isAlive(pid)));
  });

  test('that is stopped delays no checkpoint for longer than the deadline, and is replaced', async (t) => {
    const dir = await freshFolder(t);
    const { witness, cosigner, ready } = await started(t, join(dir, 'witness'), undefined, 150);
    const pid = await ready();
    const site = await openTreeSite(t, dir, { cosigners: [cosigner] });
    await appendMany(site.ledger, 0, 5);
    process.kill(pid, 'SIGSTOP');
    const { size, cosignatures } = await site.tree.publish();
    assert.deepEqual([size, cosignatures, site.tree.failure?.code], [5, [], 'DEADLINE']);
    assert.equal(cosigner.isReady, false);
    // It is asked again after a pause, three times in all; then another takes its place, and the checkpoint gets its signature.
    await until(t, 'the hung one is replaced', async () => {
      if (site.tree.isDue) await site.tree.publish();
      return witness.pid !== null && witness.pid !== pid;
    });
    await until(t, 'the checkpoint is cosigned', async () => (await site.tree.publish()).cosignatures.length === 1);
  });

  test('that is required holds the checkpoint back until it signs', async (t) => {
    const dir = await freshFolder(t);
    const { witness, cosigner, ready } = await started(t, join(dir, 'witness'));
    await ready();
    await witness.close();
    const site = await openTreeSite(t, dir, { cosigners: [cosigner], cosignaturesMin: 1 });
    await appendMany(site.ledger, 0, 5);
    await assert.rejects(site.tree.publish(), code('DEADLINE'));
    assert.equal(site.tree.published!.size, 0);
    const { cosigner: other, ready: otherReady } = await started(t, join(dir, 'witness'));
    await otherReady();
    await site.close();
    const again = await openTreeSite(t, dir, { cosigners: [other], cosignaturesMin: 1 });
    assert.equal((await again.tree.publish()).cosignatures.length, 1);
  });

  test('refuses a log that was rolled back, one that forked, and one that comes with another key', async (t) => {
    const dir = await freshFolder(t);
    const witnessDir = join(dir, 'witness');
    const { cosigner, witness, ready } = await started(t, witnessDir);
    await ready();
    const site = await openTreeSite(t, join(dir, 'one'), { cosigners: [cosigner] });
    await appendMany(site.ledger, 0, 10);
    await site.tree.publish();
    await site.close();
    await cp(join(dir, 'one'), join(dir, 'old'), { recursive: true });
    const grown = await openTreeSite(t, join(dir, 'one'), { cosigners: [cosigner] });
    await appendMany(grown.ledger, 10, 10);
    await grown.tree.publish();
    await grown.close();

    const old = await openTreeSite(t, join(dir, 'old'), { cosigners: [cosigner] });
    await appendMany(old.ledger, 10, 1);
    await assert.rejects(old.tree.publish(), { code: 'LEDGER_CORRUPT', message: /rolled back: .* saw size 20/ });
    assert.equal(old.tree.broken?.details['reason'], 'rolled-back');
    await old.close();
    // Another one, because the first leaves a witness that refused alone for a while.
    const other = new WitnessCosigner(witness.place, DEADLINE_MS);
    const forked = await openTreeSite(t, join(dir, 'forked'), { cosigners: [other] });
    await appendMany(forked.ledger, 100, 30);
    await assert.rejects(forked.tree.publish(), { code: 'LEDGER_CORRUPT', message: /forked/ });

    const stranger = signerOf(ORIGIN, 'signature', Buffer.alloc(32, 99));
    const { problems } = await started(t, witnessDir, stranger.verifier.vkey);
    await until(t, 'it says why not', () => problems.some((problem) => problem?.includes('by the key')));
  });

  test('serves its newest checkpoint, and refuses long and foreign requests', async (t) => {
    const dir = join(await freshFolder(t), 'a-folder-with-a-name-so-long-that-no-socket-could-have-the-path'.repeat(3));
    await mkdir(dir, { recursive: true });
    const { cosigner, witness, ready } = await started(t, join(dir, 'witness'));
    await ready();
    const site = await openTreeSite(t, dir, { cosigners: [cosigner] });
    await appendMany(site.ledger, 0, 3);
    await site.tree.publish();
    const { address } = witness.place()!;
    const ask = async (method: string, path: string, body = '') => {
      const asked = httpRequest({ ...(address as { socketPath: string }), method, path, agent: false });
      asked.on('error', () => undefined);
      asked.end(body);
      const [response] = await once(asked, 'response');
      let text = '';
      for await (const part of response as AsyncIterable<Buffer>) text += part;
      return { status: (response as { statusCode: number }).statusCode, text };
    };
    const served = await ask('GET', `/${originHash(ORIGIN)}/checkpoint`);
    assert.deepEqual([served.status, served.text.split('\n')[1]], [200, '3']);
    assert.equal((await ask('GET', `/${originHash('other')}/checkpoint`)).status, 404);
    assert.equal((await ask('GET', '/add-checkpoint')).status, 405);
    assert.equal((await ask('POST', '/add-checkpoint', 'x'.repeat(100_000))).status, 413);
    assert.equal((await ask('POST', '/add-checkpoint', 'nonsense')).status, 400);
  });

  test('does not start with a key that others may read, and says so', async (t) => {
    const dir = await freshFolder(t);
    const first = await started(t, join(dir, 'witness'));
    await first.ready();
    await first.witness.close();
    const key = join(dir, 'witness', 'key');
    assert.match(await readFile(key, 'utf8'), /^PRIVATE\+KEY\+example\.com\/witness\+/);
    await chmod(key, 0o640);
    const { problems } = await started(t, join(dir, 'witness'));
    await until(t, 'it says why not', () => problems.some((problem) => problem?.includes('0640')));
    await chmod(key, 0o600);
    await appendFile(key, 'more');
    await until(t, 'it says why not', () => problems.some((problem) => problem?.includes('no Ed25519 key')));
  });
});
