import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HOME } from '@grace/contracts';
import { openLedger } from '@grace/ledger';
import { signerOf, TreeLog } from '@grace/ledger/tree';
import { grace } from './capture.ts';

const ENTRY = { actor: 'ada', action: 'open', resource: 'door', subsystem: 'house', outcome: 'ok', by: 'cli' };

/** A home with an audit record and its tree, without a system. */
async function writtenHome(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'grace-proof-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const state = join(home, HOME.state, 'immutable_log');
  const ledger = await openLedger({ dir: join(state, 'ledger') });
  const records = { base: 0, last: () => ledger.last.seq, read: ledger.read.bind(ledger) };
  const signer = signerOf('example.com/log/1', 'signature', new Uint8Array(32).fill(5));
  const tree = await TreeLog.open({ dir: join(state, 'log'), records, signer, cosigners: [], seen: [] });
  for (let i = 1; i <= 5; i++) await ledger.append(JSON.stringify({ ...ENTRY, resource: `door ${i}` }));
  await tree.publish();
  await tree.close();
  await ledger.close();
  return home;
}

const VKEY = signerOf('example.com/log/1', 'signature', new Uint8Array(32).fill(5)).verifier.vkey;

test('a record is proved from the files, and the proof is checked by the key alone', async (t) => {
  const home = await writtenHome(t);
  const file = join(home, 'three.tlog-proof');
  const proved = await grace(['--home', home, 'log', 'prove', '3', '--out', file]);
  assert.deepEqual([proved.code, proved.stderr], [0, '']);
  const elsewhere = await grace(['log', 'prove', '--check', file, '--vkey', VKEY, '--json']);
  assert.equal(elsewhere.code, 0, elsewhere.stderr);
  const { leaf, checkpoint } = JSON.parse(elsewhere.stdout) as { leaf: string; checkpoint: { size: number } };
  assert.equal((JSON.parse(leaf) as { entry: { resource: string } }).entry.resource, 'door 3');
  assert.equal(checkpoint.size, 5);
  // The keys of this home serve too, and it is said that they were taken from there.
  const here = await grace(['--home', home, 'log', 'prove', '--check', file]);
  assert.match(here.stdout, /^verified: leaf 2 is in the tree of size 5 of example\.com\/log\/1\n/);
  assert.match(here.stderr, /trusted because they stand in/);

  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('index 2', 'index 3'));
  const changed = await grace(['--home', home, 'log', 'prove', '--check', file]);
  assert.deepEqual([changed.code, /PROOF_INVALID/.test(changed.stderr)], [1, true]);
  const unknown = await grace(['log', 'prove', '--check', file]);
  assert.deepEqual([unknown.code, /--vkey/.test(unknown.stderr)], [64, true]);
});

test('the growth of the tree is proved from the files, and sizes it does not have are refused', async (t) => {
  const home = await writtenHome(t);
  const file = join(home, 'growth');
  const log = (...words: string[]) => grace(['--home', home, 'log', 'prove', ...words]);
  assert.equal((await log('--consistency', '2', '--out', file)).code, 0);
  assert.match((await log('--check', file)).stdout, /the tree of size 2 is the beginning of the tree of size 5/);
  const between = await log('--consistency', '2', '4', '--json');
  assert.equal((JSON.parse(between.stdout) as { file: string | null }).file, null);
  assert.match((await log('--consistency', '2', '9')).stderr, /NOT_FOUND.*up to 5/);
  assert.match((await log('6')).stderr, /NOT_FOUND.*the records 1 to 5/);
  for (const words of [[], ['3', '--check', file], ['--consistency', '1', '2', '3']]) {
    assert.equal((await log(...words)).code, 64, words.join(' '));
  }
});

test('the newest entries are told from the files, as lines and as records', async (t) => {
  const home = await writtenHome(t);
  const { stdout } = await grace(['--home', home, 'log', 'tail', '-n', '2']);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[1]!, / 5 ada open door 5: ok \(house, by cli\)$/);
  const records = (await grace(['--home', home, 'log', 'tail', '--json'])).stdout.trimEnd().split('\n');
  assert.deepEqual(
    records.map((record) => (JSON.parse(record) as { seq: number }).seq),
    [1, 2, 3, 4, 5],
  );
  assert.match((await grace(['log', 'tail'])).stderr, /NOT_FOUND/);
});
