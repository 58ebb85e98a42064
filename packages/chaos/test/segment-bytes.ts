import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Segments by the layout that docs/ledger.md gives, written without the ledger's code. */
export function segmentBytes(count: number, firstSeq = 1): { bytes: Buffer; records: Buffer[] } {
  const header = Buffer.alloc(64);
  header.write('GRACELDG', 'latin1');
  header.writeUInt32LE(1, 12);
  header.writeBigUInt64LE(BigInt(firstSeq), 16);
  header.writeUInt32LE(crc32(header.subarray(12)), 8);
  let previous = Buffer.alloc(32);
  const records: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const payload = Buffer.from(JSON.stringify({ number: i, text: 'x'.repeat(i % 7) }));
    const record = Buffer.alloc(92 + payload.length);
    record.writeUInt32LE(payload.length, 4);
    record.writeBigUInt64LE(BigInt(firstSeq + i), 8);
    record[22] = 1;
    record[23] = 0xa7;
    previous.copy(record, 28);
    payload.copy(record, 60);
    previous = hash('sha256', record.subarray(4, 60 + payload.length), 'buffer');
    previous.copy(record, 60 + payload.length);
    record.writeUInt32LE(crc32(record.subarray(4)), 0);
    records.push(record);
  }
  return { bytes: Buffer.concat([header, ...records]), records };
}
