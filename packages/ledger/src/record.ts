import { field, type RecordKind, toHex } from './format.ts';

/** One record as it was read: its checksum, its hash and its link to the record before it have been computed again. */
export interface LedgerRecord {
  seq: number;
  /** Wall time of the append, ms. */
  atMs: number;
  kind: RecordKind;
  payload: Uint8Array;
  /** SHA-256, hex. */
  hash: string;
}

/** The record at `at`, copied. */
export function recordAt(bytes: Buffer, at: number): LedgerRecord {
  return {
    seq: field.seq(bytes, at),
    atMs: field.atMs(bytes, at),
    kind: field.kind(bytes, at)!,
    payload: field.payload(bytes, at),
    hash: toHex(field.hash(bytes, at)),
  };
}
