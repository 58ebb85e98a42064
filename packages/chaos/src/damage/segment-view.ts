import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The laboratory's own look at the files of a ledger, by the layout that docs/ledger.md gives and without the ledger's code: what is damaged
 * must not be judged by what is under test.
 */
export interface SegmentView {
  /** Absolute. */
  path: string;
  name: string;
  bytes: Buffer;
  records: { seq: number; offset: number; bytes: number }[];
  /** Where the last whole record ends; behind it stands nothing, or a write that did not finish. */
  end: number;
}

const HEADER_BYTES = 64;
/** Of a record, what is not payload: 60 bytes in front of it, 32 behind. */
const OVERHEAD_BYTES = 92;
const PAYLOAD_BYTES_AT = 4;
const SEQ_AT = 8;
const WELL_NAMED = /^\d{16}\.segment$/;

/** The newest segment of the current epoch; null when there is none, or it has no whole header. */
export function newestSegment(folder: string): SegmentView | null {
  const name = readdirSync(folder)
    .filter((one) => WELL_NAMED.test(one))
    .sort()
    .at(-1);
  if (name === undefined) return null;
  const path = join(folder, name);
  const bytes = readFileSync(path);
  return bytes.length < HEADER_BYTES ? null : { path, name, bytes, ...recordsOf(bytes) };
}

/** Records by their lengths and numbers alone: the walk ends where the next one would not be the next. */
function recordsOf(bytes: Buffer): Pick<SegmentView, 'records' | 'end'> {
  const records: SegmentView['records'] = [];
  let offset = HEADER_BYTES;
  while (offset + OVERHEAD_BYTES <= bytes.length) {
    const recordBytes = OVERHEAD_BYTES + bytes.readUInt32LE(offset + PAYLOAD_BYTES_AT);
    const seq = Number(bytes.readBigUInt64LE(offset + SEQ_AT));
    const last = records.at(-1);
    if (offset + recordBytes > bytes.length || (last && seq !== last.seq + 1)) break;
    records.push({ seq, offset, bytes: recordBytes });
    offset += recordBytes;
  }
  return { records, end: offset };
}
