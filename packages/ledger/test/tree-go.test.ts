import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WitnessCosigner, WitnessProcess } from '../src/witness/index.ts';
import { freshFolder } from './folder.ts';
import { appendMany, openTreeSite, SIGNER } from './tree-site.ts';
import { until } from './until.ts';

const GOPATH = '/usr/share/gocode';
const hasGo = existsSync('/usr/bin/go') && existsSync(`${GOPATH}/src/golang.org/x/mod/sumdb/tlog`);
const skip = hasGo ? false : 'needs the Debian packages golang-go and golang-golang-x-mod-dev';
const BUILD_DEADLINE_MS = 240_000;

function run(file: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; said: string }> {
  const options = { env: { PATH: process.env['PATH'], ...env }, timeout: BUILD_DEADLINE_MS };
  return new Promise((resolve) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), said: `${stdout}${stderr}`.trim() });
    });
  });
}

async function buildReader(dir: string): Promise<string> {
  const reader = join(dir, 'tree-reader');
  const source = fileURLToPath(new URL('./tree-reader.go', import.meta.url));
  const env = { GOPATH, GO111MODULE: 'off', GOCACHE: join(dir, 'cache'), GOFLAGS: '', HOME: dir, CGO_ENABLED: '0' };
  const built = await run('go', ['build', '-o', reader, source], env);
  assert.equal(built.code, 0, built.said);
  return reader;
}

async function cosigner(t: TestContext, dir: string): Promise<WitnessCosigner> {
  const witness = new WitnessProcess({
    dir,
    name: 'example.com/w',
    log: SIGNER.verifier.vkey,
    onChange: () => undefined,
  });
  t.after(() => witness.close());
  witness.start();
  await until(t, 'the witness is ready', () => witness.pid);
  return new WitnessCosigner(witness.place, 20_000);
}

test('the packages of the Go checksum database verify a copy of the folder, and refuse it when one bit is changed', {
  skip,
}, async (t) => {
  const dir = await freshFolder(t);
  const reader = await buildReader(dir);
  const witnessed = await cosigner(t, join(dir, 'witness'));
  const site = await openTreeSite(t, dir, { cosigners: [witnessed] });
  const keys = [SIGNER.verifier.vkey, witnessed.verifier!.vkey];
  for (const size of [1, 256, 700]) {
    await appendMany(site.ledger, site.ledger.last.seq, size - site.ledger.last.seq);
    await site.tree.publish();
    const copy = join(dir, `copy-${size}`);
    await cp(site.logDir, copy, { recursive: true });
    const { code, said } = await run(reader, [copy, ...keys]);
    assert.deepEqual([code, said], [0, `verified ${size} entries, 2 signatures`]);
  }
  const copy = join(dir, 'copy-700');
  const parts = [
    'checkpoint',
    'tile/0/001',
    'tile/0/002.p/188',
    'tile/1/000.p/2',
    'tile/entries/000',
    'tile/entries/002.p/188',
  ];
  for (const part of parts) {
    const bytes = await readFile(join(copy, part));
    const changed = Buffer.from(bytes);
    changed[40]! ^= 1;
    await writeFile(join(copy, part), changed);
    const { code, said } = await run(reader, [copy, ...keys]);
    assert.equal(code, 1, `${part}: ${said}`);
    await writeFile(join(copy, part), bytes);
  }
});
