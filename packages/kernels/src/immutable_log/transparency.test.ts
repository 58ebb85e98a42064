import assert from 'node:assert/strict';
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { KernelContext } from '@grace/kernel-sdk';
import { checkProof, PAYLOAD_BYTES_MAX, parseVkey } from '@grace/ledger/tree';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import type { IntegrityReport } from './integrity.ts';
import kernel from './kernel.ts';
import type { Receipt } from './recorder.ts';
import type { Transparency } from './transparency.ts';

const ENTRY = { actor: 'ada', action: 'open', resource: 'door', subsystem: 'house', outcome: 'ok' };

/** `between` is done to the folder of the kernel while it does not run. */
async function rigged(t: TestContext, config: Record<string, unknown> = {}) {
  const site = { between: async (_stateDir: string): Promise<void> => undefined };
  const definition = {
    id: kernel.id,
    start: async (ctx: KernelContext) => {
      await site.between(ctx.stateDir);
      return kernel.start(ctx);
    },
  };
  const settings = { checkpointEveryMs: 50, witness: 'off', ...config };
  const rig = await rigKernels([definition], { config: { immutable_log: settings } });
  t.after(() => rig.close());
  return { rig, site };
}

const call = <T>(rig: KernelRig, verb: string, input: unknown = {}) =>
  rig.call('immutable_log', verb, input) as Promise<T>;
const append = (rig: KernelRig, input: unknown = ENTRY) => call<Receipt>(rig, 'append', input);
const treeOf = async (rig: KernelRig) => (await call<{ tree: ReturnType<Transparency['status']> }>(rig, 'status')).tree;

describe('the tree of immutable_log', () => {
  test('proves a record and the growth of the tree by files that verify without it', async (t) => {
    const { rig } = await rigged(t);
    const receipts = await Promise.all(
      Array.from({ length: 300 }, (_, i) => append(rig, { ...ENTRY, resource: `r${i}` })),
    );
    const { seq, hash } = receipts[200]!;
    const proof = await call<{ file: string; vkey: string }>(rig, 'prove', { seq });
    const { leaf, checkpoint } = checkProof(proof.file, { logs: [parseVkey(proof.vkey)] });
    const said = JSON.parse(leaf!.toString()) as { seq: number; hash: string; entry: { resource: string } };
    assert.deepEqual([said.seq, said.hash, said.entry.resource], [seq, hash, 'r200']);
    assert.equal(checkpoint.size, 300);
    await append(rig);
    const grown = await call<{ size: number; note: string }>(rig, 'checkpoint');
    assert.equal(grown.size, 301);
    const growth = await call<{ file: string; to: number }>(rig, 'prove', { from: 300 });
    assert.equal(checkProof(growth.file, { logs: [parseVkey(proof.vkey)] }).checkpoint.size, 301);
    for (const bad of [{}, { seq: 1, from: 2 }, { seq: 0 }, { seq: 1, to: 3 }]) {
      await assert.rejects(call(rig, 'prove', bad), { code: 'BAD_INPUT' });
    }
    for (const none of [{ seq: 302 }, { from: 302 }, { from: 2, to: 1 }]) {
      await assert.rejects(call(rig, 'prove', none), { code: 'NOT_FOUND' });
    }
    assert.equal((await call<IntegrityReport>(rig, 'verify')).ok, true);
  });

  test('takes an entry as large as a leaf may be, and none larger', async (t) => {
    const { rig } = await rigged(t);
    const frame = JSON.stringify({ ...ENTRY, by: 'test', payload: '' }).length;
    const { seq } = await append(rig, { ...ENTRY, payload: 'x'.repeat(PAYLOAD_BYTES_MAX - frame) });
    const { leaf } = await call<{ leaf: string }>(rig, 'prove', { seq });
    assert.equal(Object.hasOwn(JSON.parse(leaf) as object, 'entry'), true);
    const larger = { ...ENTRY, payload: 'x'.repeat(PAYLOAD_BYTES_MAX - frame + 1) };
    await assert.rejects(append(rig, larger), { code: 'TOO_LARGE', message: /at most 65335 bytes/ });
  });

  test('is signed by itself after an append, and made again when a tile is spoilt', async (t) => {
    const { rig } = await rigged(t);
    await Promise.all(Array.from({ length: 300 }, () => append(rig)));
    await poll('it was signed', async () => (await treeOf(rig)).checkpoint?.size === 300);
    const tile = join(rig.stateDir('immutable_log'), 'log/tile/0/000');
    const bytes = await readFile(tile);
    bytes[9]! ^= 1;
    await writeFile(tile, bytes);
    const found = await call<IntegrityReport>(rig, 'verify');
    assert.deepEqual([found.ok, found.tree.problems.map(({ kind }) => kind)], [false, ['tile']]);
    assert.equal((await append(rig)).seq, 301);
    await poll('it was made again', async () => (await call<IntegrityReport>(rig, 'verify')).ok);
  });

  test('the probe fails when its record cannot be proved against the signed tree', async (t) => {
    const { rig } = await rigged(t, { checkpointEveryMs: 60_000 });
    assert.equal((await rig.probe('immutable_log'))['checkpoint'], 1);
    await append(rig);
    await call(rig, 'checkpoint');
    const bundle = join(rig.stateDir('immutable_log'), 'log/tile/0/000.p/2');
    const bytes = await readFile(bundle);
    bytes[40]! ^= 1;
    await writeFile(bundle, bytes);
    await assert.rejects(rig.probe('immutable_log'), { code: 'PROOF_INVALID' });
  });

  test('does not start with a secret key that others may read', async (t) => {
    const { rig, site } = await rigged(t);
    site.between = (stateDir) => chmod(join(stateDir, 'log.key'), 0o644);
    await assert.rejects(rig.restart('immutable_log'), { code: 'KEY_UNUSABLE', message: /0644.*0600/ });
    site.between = (stateDir) => chmod(join(stateDir, 'log.key'), 0o600);
    await rig.restart('immutable_log');
  });
});

describe('the witness of immutable_log', () => {
  test('sees that the whole folder was set back; nothing goes on until a new epoch was begun, and that is recorded', async (t) => {
    const { rig, site } = await rigged(t, { witness: 'required' });
    const kept = await mkdtemp(join(tmpdir(), 'grace-kept-'));
    t.after(() => rm(kept, { recursive: true, force: true }));
    for (let i = 0; i < 5; i++) await append(rig);
    const isCosigned = (size: number) => async () => {
      const { checkpoint } = await treeOf(rig);
      return checkpoint?.size === size && checkpoint.cosignatures.length === 1 ? checkpoint : null;
    };
    await poll('5 are cosigned', isCosigned(5), { deadlineMs: 30_000 });
    site.between = (stateDir) => cp(stateDir, kept, { recursive: true });
    await rig.restart('immutable_log');
    site.between = async () => undefined;
    for (let i = 0; i < 4; i++) await append(rig);
    const newest = await poll('9 are cosigned', isCosigned(9), { deadlineMs: 30_000 });

    site.between = async (stateDir) => {
      await rm(stateDir, { recursive: true });
      await cp(kept, stateDir, { recursive: true });
    };
    await rig.restart('immutable_log');
    site.between = async () => undefined;
    const words = `rolled back: witness saw size 9 root ${newest.root}, the ledger holds 5 records`;
    assert.equal((await treeOf(rig)).broken, words);
    await assert.rejects(append(rig), { code: 'LEDGER_CORRUPT', message: words });
    await assert.rejects(rig.probe('immutable_log'), { code: 'LEDGER_CORRUPT', message: words });
    assert.ok(
      rig.reports.some(({ event }) => event.name === 'record:damaged'),
      'it was told',
    );

    // Nobody has repaired it: the next start does.
    await rig.restart('immutable_log');
    const tree = await treeOf(rig);
    assert.deepEqual([tree.broken, tree.origin.endsWith('/2')], [null, true]);
    await rig.probe('immutable_log');
    assert.equal((await call<IntegrityReport>(rig, 'verify')).ok, true);
    const { entries } = await call<{ entries: { seq: number; resource: string }[] }>(rig, 'search', {
      action: 'seal',
    });
    assert.deepEqual(
      entries.map(({ resource, seq }) => [resource, seq]),
      [['epoch 1', 10]],
      'no seq that the witness has seen is given again',
    );
  });
});
