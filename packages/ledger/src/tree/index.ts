/**
 * @module
 * The transparency log over a ledger: Merkle tree, tiles, signed checkpoints, proofs. An entry of its own, because the journal uses the ledger
 * without it.
 */
export {
  CHECKPOINT_FILE,
  type Checkpoint,
  headText,
  openCheckpoint,
  parseHead,
  readCheckpoint,
  type TreeHead,
} from './checkpoint.ts';
export type { Claim, TreeProblem, TreeProblemKind } from './flaw.ts';
export { openKeyFile, type SecretKey } from './key-file.ts';
export { leafOf, PAYLOAD_BYTES_MAX } from './leaf.ts';
export { EMPTY_ROOT, leafHash, nodeHash } from './merkle.ts';
export { openNote, parseVkey, type Signer, signerOf, type Verifier } from './note.ts';
export { type Cosigner, type TreeLogOptions, type TreeRecords, VKEY_FILE } from './options.ts';
export { type CheckedProof, checkProof, formatConsistency, formatInclusion, originOf } from './proof-file.ts';
export { consistencyProof, inclusionProof, rootAt, verifyConsistency, verifyInclusion } from './proofs.ts';
export { rootOfLedger } from './root-of-ledger.ts';
export { TileReader } from './tile-folder.ts';
export { TreeLog } from './tree-log.ts';
export { type TreeVerification, type VerifyTreeOptions, verifyTree } from './verify-tree.ts';
export { readWitnessState, type WitnessState } from './witness-state.ts';
