/**
 * @module
 * An append-only, hash-linked, crash-safe store of records. What `append` has answered is on disk; what a crash leaves half written is cut
 * off and recorded; damage is never repaired silently. Used by the supervisor's journal and by the immutable_log kernel.
 */
export type { Appended } from './append-queue.ts';
export { type Epoch, readEpoch } from './epoch/epochs.ts';
export type { Anchor, Seal, SeqRange } from './epoch/seal.ts';
export { GENESIS_HASH, MAX_PAYLOAD_BYTES, type RecordKind } from './format.ts';
export { type DurableBatch, type Ledger, type LedgerOptions, openLedger, repairLedger } from './ledger.ts';
export { type LedgerProblem, PROBLEMS, type ProblemKind } from './problems.ts';
export { type LedgerRecord, readLedger } from './read.ts';
export type { Repair, RepairOrder } from './repair/repair.ts';
export { SparseIndex } from './sparse-index.ts';
export { type Verification, verifyLedger } from './verify.ts';
