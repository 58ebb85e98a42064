import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { didYouMean, GraceError, HOME } from '@grace/contracts';
import { type LedgerProblem, readEpoch, type Verification, verifyLedger } from '@grace/ledger';
import { type TreeVerification, verifyTree } from '@grace/ledger/tree';

/** A tamper-evident record of a home, and all that belongs to it. */
export interface RecordPlace {
  id: 'journal' | 'immutable_log';
  dir: string;
  outerHead: string;
  mirror: string | undefined;
  /** The signed tree over it and what its witness saw; null: it has none. */
  tree: { logDir: string; witnessDir: string } | null;
}

export interface VerifiedRecord extends Verification {
  id: RecordPlace['id'];
  path: string;
  tree: TreeVerification | null;
}

/** The records that exist in the home, or the one that is named. */
export function recordsOf(home: string, id?: string): RecordPlace[] {
  const state = join(home, HOME.state, 'immutable_log');
  const mirror = join(state, 'mirror');
  const all: RecordPlace[] = [
    {
      ...{ id: 'journal', dir: join(home, HOME.journal), outerHead: join(home, `${HOME.journal}.head`) },
      ...{ mirror: undefined, tree: null },
    },
    {
      ...{ id: 'immutable_log', dir: join(state, 'ledger'), outerHead: join(state, 'ledger.head') },
      mirror: existsSync(mirror) ? mirror : undefined,
      tree: existsSync(join(state, 'log')) ? { logDir: join(state, 'log'), witnessDir: `${state}-witness` } : null,
    },
  ];
  const ids = all.map((place) => place.id);
  if (id !== undefined && !ids.some((known) => known === id)) {
    throw new GraceError('BAD_INPUT', `there is no record "${id}"${didYouMean(id, ids)}; records: ${ids.join(', ')}`);
  }
  const found = all.filter((place) => existsSync(place.dir) && (id === undefined || place.id === id));
  if (found.length === 0) throw new GraceError('NOT_FOUND', `there is no record to look at in ${home}`, { home });
  return found;
}

/** The chain first; the tree only says more about a chain that is whole. */
export async function verifyRecord({ id, dir, outerHead, tree }: RecordPlace): Promise<VerifiedRecord> {
  const chain = await verifyLedger(dir, { outerHead });
  const base = tree && chain.ok ? (await readEpoch(dir)).base.seq : 0;
  const grown = tree && chain.ok ? await verifyTree({ ledgerDir: dir, ...tree, base }) : null;
  return { id, path: dir, ...chain, ok: chain.ok && (grown?.ok ?? true), tree: grown };
}

/** What only a new epoch answers: the records are not those that were signed. */
export function treeProblems({ tree }: VerifiedRecord): LedgerProblem[] {
  return (tree?.problems ?? []).flatMap(({ kind, message, seq }) => {
    if (kind !== 'rewritten' && kind !== 'forked' && kind !== 'rolled-back') return [];
    const place = { segment: '', offset: 0, ...(seq === undefined ? {} : { seq }) };
    return [{ kind: kind === 'forked' ? 'rewritten' : kind, ...place, message }];
  });
}
