import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Ledger, openLedger } from '../src/ledger.ts';
import { type Cosigner, signerOf, TreeLog, type TreeLogOptions } from '../src/tree/index.ts';

export const ORIGIN = 'example.com/audit/1';
export const SIGNER = signerOf(ORIGIN, 'signature', Buffer.alloc(32, 3));

/** A ledger and its tree in one folder. */
export interface TreeSite {
  dir: string;
  logDir: string;
  ledgerDir: string;
  witnessDir: string;
  ledger: Ledger;
  tree: TreeLog;
  close(): Promise<void>;
}

export type SiteOptions = Partial<Pick<TreeLogOptions, 'seen' | 'cosignaturesMin'>> & { cosigners?: Cosigner[] };

export async function openTreeSite(t: TestContext, dir: string, options: SiteOptions = {}): Promise<TreeSite> {
  const ledgerDir = join(dir, 'ledger');
  const logDir = join(dir, 'log');
  let tree: TreeLog | null = null;
  const ledger = await openLedger({ dir: ledgerDir, onDurable: (batch) => tree?.take(batch) });
  const close = async () => {
    await tree?.close();
    await ledger.close();
  };
  t.after(close);
  const records = { base: 0, last: () => ledger.last.seq, read: ledger.read.bind(ledger) };
  tree = await TreeLog.open({ dir: logDir, records, signer: SIGNER, cosigners: [], seen: [], ...options });
  return { dir, logDir, ledgerDir, witnessDir: join(dir, 'witness'), ledger, tree, close };
}

export async function appendMany(ledger: Ledger, from: number, count: number): Promise<void> {
  const appends = Array.from({ length: count }, (_, i) =>
    ledger.append(JSON.stringify({ actor: 'ada', note: `entry ${from + i}` })),
  );
  await Promise.all(appends);
}
