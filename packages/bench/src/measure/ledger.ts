import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ledger, openLedger, verifyLedger } from '@grace/ledger';
import { signerOf, TreeLog, verifyTree } from '@grace/ledger/tree';
import { floor } from '../floor.ts';
import type { Sample } from './sample.ts';

const RECORDS = 50_000;
const PAYLOAD = JSON.stringify({ text: 'x'.repeat(268) });

/** Records a second. As many are under way as two batches hold, so that one is written while the next fills. */
async function appendRate(ledger: Ledger): Promise<number> {
  const started = performance.now();
  for (let done = 0; done < RECORDS; ) {
    const batch: Promise<unknown>[] = [];
    for (let n = 0; n < 512 && done < RECORDS; n++, done++) batch.push(ledger.append(PAYLOAD));
    await Promise.all(batch);
  }
  return RECORDS / ((performance.now() - started) / 1000);
}

async function verifyRate(verify: () => Promise<{ ok: boolean }[]>): Promise<number> {
  const started = performance.now();
  const whole = (await verify()).every(({ ok }) => ok);
  if (!whole) throw new Error('the ledger just written does not verify');
  return RECORDS / ((performance.now() - started) / 1000);
}

export async function measureLedger(): Promise<Sample> {
  const bare = await floor('append');
  const dir = mkdtempSync(join(tmpdir(), 'grace-bench-'));
  try {
    const plain = join(dir, 'plain');
    const ledger = await openLedger({ dir: plain });
    const append = await appendRate(ledger);
    await ledger.close();
    const verify = await verifyRate(async () => [await verifyLedger(plain)]);
    const tree = await measureTree(dir);
    const appends = bare['appendPerSecond']!;
    const verifies = bare['verifyPerSecond']!;
    return {
      append: { floor: appends, value: append },
      verify: { floor: verifies, value: verify },
      append_tree: { floor: appends, value: tree.append },
      verify_tree: { floor: verifies, value: tree.verify },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** As the audit record is kept: a tree over it, signed every second. */
async function measureTree(dir: string): Promise<{ append: number; verify: number }> {
  const ledgerDir = join(dir, 'ledger');
  const logDir = join(dir, 'log');
  let tree: TreeLog | null = null;
  const ledger = await openLedger({ dir: ledgerDir, onDurable: (batch) => tree?.take(batch) });
  const records = { base: 0, last: () => ledger.last.seq, read: ledger.read.bind(ledger) };
  const signer = signerOf('example.com/bench/1', 'signature', new Uint8Array(32).fill(1));
  tree = await TreeLog.open({ dir: logDir, records, signer, cosigners: [], seen: [] });
  const signing = setInterval(() => void tree?.publish().catch(() => undefined), 1000);
  const append = await appendRate(ledger);
  clearInterval(signing);
  await tree.publish();
  await tree.close();
  await ledger.close();
  const verify = async () => [await verifyLedger(ledgerDir), await verifyTree({ ledgerDir, logDir })];
  return { append, verify: await verifyRate(verify) };
}
