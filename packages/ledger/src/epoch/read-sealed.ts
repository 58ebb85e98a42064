import { join } from 'node:path';
import { Chain } from '../chain.ts';
import { corrupt } from '../failure.ts';
import type { FileLayer } from '../files.ts';
import { field } from '../format.ts';
import type { Marks } from '../marks.ts';
import { type LedgerRecord, recordAt } from '../record.ts';
import { withFile } from '../segments.ts';
import { walkRecords } from '../walk.ts';
import type { SealedEpoch } from './epochs.ts';
import { SEAL_FILE } from './epochs.ts';
import type { KeptRun } from './seal.ts';

const PAGE_RECORDS = 256;
const PAGE_BYTES = 1024 ** 2;
const CHUNK_BYTES = 128 * 1024;

/** The records of a sealed epoch that its seal names as readable. */
export async function* readSealed(
  files: FileLayer,
  { seal, dir, number, marks }: SealedEpoch,
  { from, until }: { from: number; until: number },
): AsyncGenerator<LedgerRecord> {
  if (seal === null) {
    throw corrupt({ dir, segment: SEAL_FILE, offset: 0, message: `the seal of epoch ${number} cannot be read` });
  }
  for (const run of seal.kept) {
    if (run.to >= from && run.from <= until) yield* readRun(files, dir, run, { from, until }, marks);
  }
}

async function* readRun(
  files: FileLayer,
  dir: string,
  run: KeptRun,
  range: { from: number; until: number },
  marks: Marks,
): AsyncGenerator<LedgerRecord> {
  const segment = { name: run.segment, path: join(dir, run.segment), firstSeq: run.from };
  const first = Math.max(run.from, range.from);
  const last = Math.min(run.to, range.until);
  const known = marks.before(first);
  const place = known && known.seq > run.from ? known : { seq: run.from, offset: run.offset };
  const chain = new Chain(place.seq - 1, null);
  let { offset } = place;
  while (chain.seq < last) {
    const page: LedgerRecord[] = [];
    let pageBytes = 0;
    const walk = await withFile(files, segment.path, (file) =>
      walkRecords(
        file,
        offset,
        (bytes, at, recordBytes, recordOffset) => {
          const isWanted = field.seq(bytes, at) >= first;
          const fault = chain.fault(bytes, at, recordBytes, isWanted);
          if (fault !== null) throw refusal(recordOffset, fault);
          marks.note(chain.seq, segment, recordOffset);
          if (isWanted) {
            page.push(recordAt(bytes, at));
            pageBytes += recordBytes;
          }
          return chain.seq < last && page.length < PAGE_RECORDS && pageBytes < PAGE_BYTES;
        },
        CHUNK_BYTES,
      ),
    );
    offset = walk.end;
    yield* page;
    if (chain.seq < last && !walk.stopped) throw refusal(offset, 'it does not match its checksum');
  }

  function refusal(at: number, message: string) {
    return corrupt({ dir, segment: run.segment, offset: at, seq: chain.seq + 1, message });
  }
}
