import { hash as digest } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * A segment file is a header of 64 bytes and records behind each other. Numbers are little-endian.
 *
 * header   0 magic (8) · 8 CRC-32 of bytes 12-63 · 12 format · 16 first seq (u48) · 22, 30 records of the segment before (two u16, low first)
 *          24 created, ms (u48) · 32 hash before the first record
 * record   0 CRC-32 of all that follows · 4 payload bytes · 8 seq (u64) · 16 time, ms (u48) · 22 kind · 23 mark · 24 place in its batch
 *          28 hash of the previous record · 60 payload · then the SHA-256 of bytes 4 to the end of the payload
 *
 * The CRC finds what a disk does; the SHA-256, which covers the hash before it, finds what a person does. The place in the batch tells
 * records that were written together, so that a tear inside the last batch is not taken for a flaw in the middle.
 */
export const SEGMENT_HEADER_BYTES = 64;
export const RECORD_OVERHEAD_BYTES = 92;
/** The largest payload of one record. Readers trust no length beyond it. */
export const MAX_PAYLOAD_BYTES = 16 * 1024 ** 2;
/** The hash before the first record. */
export const GENESIS_HASH = '0'.repeat(64);

const MAGIC = Buffer.from('GRACELDG', 'latin1');
const FORMAT = 1;
const PAYLOAD_AT = 60;
const HASH_BYTES = 32;
const MARK = 0xa7;
const KINDS = ['data', 'recovery', 'seal', 'repair'] as const;

/**
 * All but `data` are written by the ledger itself; their payload is JSON. `recovery`: what was cut off, a tail that was torn. `seal`: the
 * first record of an epoch, about the one before it. `repair`: which segments were made again from the mirror.
 */
export type RecordKind = (typeof KINDS)[number];

export interface SegmentHeader {
  firstSeq: number;
  createdMs: number;
  previousHash: string;
  /** How many records the segment before has, so that a cut end and a missing segment are told apart; 0: there is none, or it is not told. */
  previousRecords: number;
}

export interface RecordDraft {
  payload: Uint8Array | string;
  payloadBytes: number;
  atMs: number;
  kind: RecordKind;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(FORMAT, 12);
  bytes.writeUIntLE(header.firstSeq, 16, 6);
  bytes.writeUIntLE(header.createdMs, 24, 6);
  bytes.writeUInt16LE(header.previousRecords & 0xffff, 22);
  bytes.writeUInt16LE((header.previousRecords >>> 16) & 0xffff, 30);
  bytes.write(header.previousHash, 32, HASH_BYTES, 'hex');
  bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
  return bytes;
}

/** What the first 64 bytes say, or null when they are no header. */
export function decodeHeader(bytes: Buffer): SegmentHeader | null {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return null;
  if (bytes.readUInt32LE(8) !== crc32(bytes.subarray(12, SEGMENT_HEADER_BYTES))) return null;
  if (bytes.readUInt32LE(12) !== FORMAT) return null;
  return {
    firstSeq: bytes.readUIntLE(16, 6),
    createdMs: bytes.readUIntLE(24, 6),
    previousRecords: bytes.readUInt16LE(22) + bytes.readUInt16LE(30) * 2 ** 16,
    previousHash: bytes.toString('hex', 32, SEGMENT_HEADER_BYTES),
  };
}

/** Writes one record into `into` at `at`; returns its hash. The caller has made room. */
export function encodeRecord(
  into: Buffer,
  at: number,
  record: RecordDraft,
  place: { seq: number; batchIndex: number; previousHash: string },
): string {
  const payloadEnd = at + PAYLOAD_AT + record.payloadBytes;
  into.writeUInt32LE(record.payloadBytes, at + 4);
  writeSeq(into, place.seq, at + 8);
  into.writeUIntLE(record.atMs, at + 16, 6);
  into[at + 22] = KINDS.indexOf(record.kind) + 1;
  into[at + 23] = MARK;
  into.writeUInt32LE(place.batchIndex, at + 24);
  into.write(place.previousHash, at + 28, HASH_BYTES, 'hex');
  if (typeof record.payload === 'string') into.write(record.payload, at + PAYLOAD_AT, record.payloadBytes, 'utf8');
  else into.set(record.payload, at + PAYLOAD_AT);
  const hash = digest('sha256', into.subarray(at + 4, payloadEnd), 'hex');
  into.write(hash, payloadEnd, HASH_BYTES, 'hex');
  into.writeUInt32LE(crc32(into.subarray(at + 4, payloadEnd + HASH_BYTES)), at);
  return hash;
}

/** Fields of the record at `at`. They mean something only after `crcHolds`. Hashes are compared as latin1 text: the cheapest form. */
export const field = {
  payloadBytes: (bytes: Buffer, at: number) => bytes.readUInt32LE(at + 4),
  seq: (bytes: Buffer, at: number) => bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12) * 2 ** 32,
  atMs: (bytes: Buffer, at: number) => bytes.readUIntLE(at + 16, 6),
  kind: (bytes: Buffer, at: number): RecordKind | undefined => KINDS[bytes[at + 22]! - 1],
  batchIndex: (bytes: Buffer, at: number) => bytes.readUInt32LE(at + 24),
  previousHash: (bytes: Buffer, at: number) => bytes.toString('latin1', at + 28, at + PAYLOAD_AT),
  hash: (bytes: Buffer, at: number) => {
    const end = at + PAYLOAD_AT + bytes.readUInt32LE(at + 4);
    return bytes.toString('latin1', end, end + HASH_BYTES);
  },
  payload: (bytes: Buffer, at: number) =>
    new Uint8Array(bytes.subarray(at + PAYLOAD_AT, at + PAYLOAD_AT + bytes.readUInt32LE(at + 4))),
};

/** Whether bytes `at` to `at + recordBytes` are a record as it was written. */
export function crcHolds(bytes: Buffer, at: number, recordBytes: number): boolean {
  return bytes.readUInt32LE(at) === crc32(bytes.subarray(at + 4, at + recordBytes));
}

/** The hash that the content of the record gives, in latin1, to be compared with `field.hash`. */
export function recomputeHash(bytes: Buffer, at: number, recordBytes: number): string {
  return digest('sha256', bytes.subarray(at + 4, at + recordBytes - HASH_BYTES), 'latin1');
}

/** Whether something that may be a record begins at `at`: a cheap filter before its CRC is computed. */
export function looksLikeRecord(bytes: Buffer, at: number): boolean {
  return (
    bytes[at + 23] === MARK &&
    field.kind(bytes, at) !== undefined &&
    bytes.readUInt16LE(at + 14) === 0 &&
    field.payloadBytes(bytes, at) <= MAX_PAYLOAD_BYTES
  );
}

export const toHex = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('hex');
export const toLatin1 = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');

function writeSeq(into: Buffer, seq: number, at: number): void {
  into.writeUInt32LE(seq % 2 ** 32, at);
  into.writeUInt32LE(Math.floor(seq / 2 ** 32), at + 4);
}
