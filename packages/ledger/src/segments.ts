import { join } from 'node:path';
import { type FileLayer, type LedgerFile, readFully } from './files.ts';
import { decodeHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './format.ts';

/** A segment is named after its first seq, so that the order of names is the order of records. */
export interface SegmentName {
  name: string;
  path: string;
  firstSeq: number;
}

const SUFFIX = '.segment';
const WELL_FORMED = /^(\d{16})\.segment$/;

export function segmentName(firstSeq: number): string {
  return `${String(firstSeq).padStart(16, '0')}${SUFFIX}`;
}

/** Segments in order; `strangers` end like a segment and are not named like one. */
export async function listSegments(
  files: FileLayer,
  dir: string,
): Promise<{ segments: SegmentName[]; strangers: string[] }> {
  const segments: SegmentName[] = [];
  const strangers: string[] = [];
  for (const name of (await files.list(dir)).sort()) {
    const match = WELL_FORMED.exec(name);
    if (match) segments.push({ name, path: join(dir, name), firstSeq: Number(match[1]) });
    else if (name.endsWith(SUFFIX)) strangers.push(name);
  }
  return { segments, strangers };
}

export async function readHeader(file: LedgerFile): Promise<{ bytes: Buffer; header: SegmentHeader | null }> {
  const whole = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const bytes = whole.subarray(0, await readFully(file, whole, 0));
  return { bytes, header: decodeHeader(bytes) };
}

/** Opens a file for reading, gives it to `use`, and closes it whatever happens. */
export async function withFile<T>(files: FileLayer, path: string, use: (file: LedgerFile) => Promise<T>): Promise<T> {
  const file = await files.open(path, 'read');
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
