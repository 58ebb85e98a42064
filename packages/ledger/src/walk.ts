import { type LedgerFile, readFully } from './files.ts';
import { crcHolds, field, MAX_PAYLOAD_BYTES, RECORD_OVERHEAD_BYTES } from './format.ts';

/** Called for each record whose CRC holds; `false` ends the walk behind this record. `bytes` is used again afterwards: copy what you keep. */
export type Visit = (bytes: Buffer, at: number, recordBytes: number, offset: number) => boolean;

export interface Walk {
  /** Where the last good record ends. */
  end: number;
  /** Why the walk could not go on at `end`; null when it reached the end of the file or was ended by the visitor. */
  flaw: 'incomplete' | 'checksum' | null;
  stopped: boolean;
}

const CHUNK_BYTES = 1024 ** 2;

/** Walks the records of a segment from the byte `from` on, in chunks, without an allocation per record. */
export async function walkRecords(
  file: LedgerFile,
  from: number,
  visit: Visit,
  chunkBytes = CHUNK_BYTES,
): Promise<Walk> {
  let buffer = Buffer.allocUnsafe(chunkBytes);
  let base = from;
  let filled = 0;
  for (;;) {
    filled += await readFully(file, buffer.subarray(filled), base + filled);
    const atEnd = filled < buffer.length;
    let at = 0;
    let wanted = buffer.length;
    while (filled - at >= RECORD_OVERHEAD_BYTES) {
      const payloadBytes = field.payloadBytes(buffer, at);
      const recordBytes = RECORD_OVERHEAD_BYTES + payloadBytes;
      if (payloadBytes > MAX_PAYLOAD_BYTES) return { end: base + at, flaw: 'checksum', stopped: false };
      if (filled - at < recordBytes) {
        wanted = Math.max(wanted, recordBytes);
        break;
      }
      if (!crcHolds(buffer, at, recordBytes)) return { end: base + at, flaw: 'checksum', stopped: false };
      const goOn = visit(buffer, at, recordBytes, base + at);
      at += recordBytes;
      if (!goOn) return { end: base + at, flaw: null, stopped: true };
    }
    if (atEnd) return { end: base + at, flaw: at === filled ? null : 'incomplete', stopped: false };
    const next = wanted > buffer.length ? Buffer.allocUnsafe(wanted) : buffer;
    buffer.copy(next, 0, at, filled);
    buffer = next;
    base += at;
    filled -= at;
  }
}
