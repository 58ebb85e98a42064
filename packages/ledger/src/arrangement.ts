import { join } from 'node:path';
import type { FileLayer } from './files.ts';
import type { SegmentHeader } from './format.ts';
import type { LedgerProblem } from './problems.ts';
import { listSegments, readHeader, withFile } from './segments.ts';

export interface Placed {
  name: string;
  path: string;
  /** Where its records belong: what the header says, or the name when the header cannot be read. */
  firstSeq: number;
  header: SegmentHeader | null;
}

export interface Arrangement {
  /** In the order of their records, whatever they are called. */
  segments: Placed[];
  /** Copies, and what is no segment. */
  aside: string[];
  problems: LedgerProblem[];
}

/** Looks at names and headers alone: which files are what they are called, which were exchanged, which are copies of others. */
export async function arrange(files: FileLayer, dir: string): Promise<Arrangement> {
  const { segments: named, strangers } = await listSegments(files, dir);
  const read = async (path: string) => (await withFile(files, path, readHeader)).header;
  const all: (Placed & { isNamedSo: boolean; isStranger: boolean })[] = [];
  for (const { name, path, firstSeq } of named) {
    const header = await read(path);
    const isNamedSo = header === null || header.firstSeq === firstSeq;
    all.push({ name, path, header, firstSeq: header?.firstSeq ?? firstSeq, isNamedSo, isStranger: false });
  }
  for (const name of strangers) {
    const path = join(dir, name);
    const header = await read(path);
    all.push({ name, path, header, firstSeq: header?.firstSeq ?? 0, isNamedSo: false, isStranger: true });
  }
  const problems: LedgerProblem[] = [];
  const report = (kind: LedgerProblem['kind'], segment: string, message: string) =>
    problems.push({ kind, segment, offset: 0, message });
  const segments: Placed[] = [];
  const aside: string[] = [];
  // Those with the right name first, so that the others are the copies.
  for (const one of all.sort((a, b) => Number(b.isNamedSo) - Number(a.isNamedSo))) {
    const { name, path, firstSeq, header } = one;
    const original = segments.find((other) => other.firstSeq === firstSeq);
    if (one.isStranger && header === null) report('segment', name, 'it is called a segment, and is none');
    else if (original) report('duplicate-segment', name, `it is a copy of ${original.name}`);
    else {
      if (!one.isNamedSo)
        report('segment-order', name, `it holds the records from ${firstSeq} on, which belong elsewhere`);
      segments.push({ name, path, firstSeq, header });
      continue;
    }
    aside.push(name);
  }
  return { segments: segments.sort((a, b) => a.firstSeq - b.firstSeq), aside, problems };
}
