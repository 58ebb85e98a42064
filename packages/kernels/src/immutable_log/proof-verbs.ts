import { GraceError } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import type { Ledger } from '@grace/ledger';
import { type Checkpoint, checkProof, formatConsistency, formatInclusion, leafOf, parseVkey } from '@grace/ledger/tree';
import type { Transparency } from './transparency.ts';

const size = is.number({ min: 0, integer: true });

/** Proofs against the signed tree of the current epoch. */
export function createProofVerbs(ledger: Ledger, transparency: Transparency): Record<string, Verb> {
  return {
    /** Of one record, or that the tree of `from` leaves is the beginning of the signed one; `file` verifies without the system. */
    async prove(input: unknown) {
      const given = readInput(input, {
        seq: is.optional(is.number({ min: 1, integer: true })),
        from: is.optional(size),
        to: is.optional(size),
      });
      const { seq, from, to } = given;
      if ((seq === undefined) === (from === undefined) || (seq !== undefined && to !== undefined)) {
        throw new GraceError('BAD_INPUT', 'input: expected either seq, or from and perhaps to', {
          fields: ['seq', 'from'],
        });
      }
      return seq === undefined ? proveConsistency(transparency, from!, to) : proveInclusion(ledger, transparency, seq);
    },

    /** Signs what is not signed yet, and answers with the newest checkpoint. */
    async checkpoint(input: unknown) {
      readInput(input, {});
      const checkpoint = await transparency.tree.publish();
      return { ...told(checkpoint), vkey: transparency.tree.vkey, note: checkpoint.note };
    },
  };
}

async function proveInclusion(ledger: Ledger, { tree }: Transparency, seq: number) {
  const { index, hashes, checkpoint } = await tree.proveInclusion(seq);
  const extra = await leafFor(ledger, seq);
  const file = formatInclusion({ index, hashes, extra, note: checkpoint.note });
  return {
    seq,
    index,
    hashes: hashes.map(base64),
    leaf: extra.toString('utf8'),
    checkpoint: told(checkpoint),
    vkey: tree.vkey,
    file,
  };
}

async function proveConsistency({ tree }: Transparency, from: number, to: number | undefined) {
  const { hashes, checkpoint, rootFrom, rootTo, ...sizes } = await tree.proveConsistency(from, to);
  const roots = { rootFrom: base64(rootFrom), rootTo: base64(rootTo) };
  // Only what leads to the signed size can be checked without knowing another root.
  const isSigned = sizes.to === checkpoint.size;
  const file = isSigned ? formatConsistency({ from, rootFrom, hashes, note: checkpoint.note }) : null;
  return { ...sizes, ...roots, hashes: hashes.map(base64), checkpoint: told(checkpoint), vkey: tree.vkey, file };
}

/**
 * That the record, as the ledger has it, is in the signed tree, by what anybody would verify.
 * @throws GraceError `PROOF_INVALID`, `LEDGER_CORRUPT`
 */
export async function assertIncluded(ledger: Ledger, { tree }: Transparency, seq: number): Promise<number> {
  const { index, hashes, checkpoint } = await tree.proveInclusion(seq);
  const file = formatInclusion({ index, hashes, extra: null, note: checkpoint.note });
  return checkProof(file, { logs: [parseVkey(tree.vkey)], leaf: await leafFor(ledger, seq) }).checkpoint.size;
}

async function leafFor(ledger: Ledger, seq: number): Promise<Buffer> {
  for await (const record of ledger.read(seq, 1)) return leafOf(record);
  throw new GraceError('NOT_FOUND', `there is no record ${seq}`, { seq });
}

const base64 = (hash: Buffer): string => hash.toString('base64');
const told = ({ origin, size: leaves, root, cosignatures }: Checkpoint) => ({
  origin,
  size: leaves,
  root: base64(root),
  cosignatures,
});
