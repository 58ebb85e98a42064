import { type LedgerFile, readFully } from './files.ts';
import {
  crcHolds,
  decodeHeader,
  field,
  looksLikeRecord,
  MAX_PAYLOAD_BYTES,
  RECORD_OVERHEAD_BYTES,
  SEGMENT_HEADER_BYTES,
} from './format.ts';

const SECTOR_BYTES = 512;
/** Fewer zero bytes than this may be content. */
const UNWRITTEN_BYTES_MIN = 16;

/**
 * Whether what stands from `offset` to the end of the newest segment is a write that never finished, which nobody was told is safe, or
 * damage to something that was safe. Torn: nothing of a later batch follows, and the bytes either end too early or have a sector that
 * was never written (zeros). Anything else is damage: it is not cut off, because it may have been acknowledged.
 */
export function isTorn(rest: Buffer, offset: number, expectedSeq: number): boolean {
  const follower = nextRecord(rest, 1);
  if (follower && follower.seq - follower.batchIndex > expectedSeq) return false;
  if (!follower && endsEarly(rest) && !isWholeButForItsLength(rest)) return true;
  return hasUnwrittenSector(rest.subarray(0, follower?.at ?? rest.length), offset);
}

/** A header that was being written when the process died: too short, or never written. */
export function isTornHeader(rest: Buffer): boolean {
  if (decodeHeader(rest)) return false;
  return rest.length < SEGMENT_HEADER_BYTES || (rest.every((byte) => byte === 0) && nextRecord(rest, 0) === null);
}

export async function readRest(file: LedgerFile, offset: number): Promise<Buffer> {
  const rest = Buffer.alloc(Math.max(0, (await file.size()) - offset));
  return rest.subarray(0, await readFully(file, rest, offset));
}

/** The first whole record at or behind `from`, found by its CRC. */
export function nextRecord(
  bytes: Buffer,
  from: number,
): { at: number; recordBytes: number; seq: number; batchIndex: number } | null {
  for (let at = from; at + RECORD_OVERHEAD_BYTES <= bytes.length; at++) {
    if (!looksLikeRecord(bytes, at)) continue;
    const recordBytes = RECORD_OVERHEAD_BYTES + field.payloadBytes(bytes, at);
    if (at + recordBytes > bytes.length || !crcHolds(bytes, at, recordBytes)) continue;
    return { at, recordBytes, seq: field.seq(bytes, at), batchIndex: field.batchIndex(bytes, at) };
  }
  return null;
}

function endsEarly(rest: Buffer): boolean {
  if (rest.length < RECORD_OVERHEAD_BYTES) return true;
  return RECORD_OVERHEAD_BYTES + field.payloadBytes(rest, 0) > rest.length;
}

/** The last record, whole, with nothing wrong but its length: damage that looks like a tear. */
function isWholeButForItsLength(rest: Buffer): boolean {
  const payloadBytes = rest.length - RECORD_OVERHEAD_BYTES;
  if (payloadBytes < 0 || payloadBytes > MAX_PAYLOAD_BYTES) return false;
  const healed = Buffer.from(rest);
  healed.writeUInt32LE(payloadBytes, 4);
  return crcHolds(healed, 0, healed.length);
}

function hasUnwrittenSector(bytes: Buffer, offset: number): boolean {
  let from = 0;
  while (from < bytes.length) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES));
    if (to - from >= UNWRITTEN_BYTES_MIN && bytes.subarray(from, to).every((byte) => byte === 0)) return true;
    from = to;
  }
  return false;
}
