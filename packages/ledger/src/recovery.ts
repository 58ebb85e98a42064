import { join } from 'node:path';
import { type FileLayer, readFully, writeSmall } from './files.ts';
import type { RecordDraft } from './format.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { withFile } from './segments.ts';
import type { Standing } from './standing.ts';

/** What was cut off, as the payload of the `recovery` record tells it. */
export interface Truncation {
  segment: string;
  offset: number;
  truncatedBytes: number;
}

const INTENT = 'truncation.json';

/**
 * Cuts off a torn tail and records the cut as the next entry. These are two steps, and the process may die between them; so the intent is
 * written first and removed last, and no cut goes unrecorded. `due` are entries that come before that of the cut.
 */
export async function recover(
  files: FileLayer,
  dir: string,
  standing: Standing,
  writer: SegmentWriter,
  due: readonly RecordDraft[] = [],
): Promise<Truncation | null> {
  const announced = await readIntent(files, dir);
  if (!standing.torn && !announced) {
    if (due.length > 0) await writer.commit(due);
    return null;
  }
  const truncation = standing.torn ? mergeTruncations(standing.torn, announced) : announced!;
  if (standing.torn) {
    await announce(files, dir, truncation);
    if (standing.torn.offset > 0) await writer.cut();
    else await files.remove(standing.torn.segment.path);
  }
  const isDue = standing.torn !== null || !isRecorded(truncation, standing);
  const batch = isDue ? [...due, ownRecord('recovery', truncation)] : due;
  if (batch.length > 0) await writer.commit(batch);
  await files.remove(join(dir, INTENT));
  await files.syncFolder(dir);
  return truncation;
}

/** The torn bytes may be those of an unfinished recovery record; the larger of both figures is told. */
function mergeTruncations(torn: NonNullable<Standing['torn']>, announced: Truncation | null): Truncation {
  const same = announced?.segment === torn.segment.name && announced.offset === torn.offset;
  const truncatedBytes = Math.max(torn.bytes, same ? announced.truncatedBytes : 0);
  return { segment: torn.segment.name, offset: torn.offset, truncatedBytes };
}

async function announce(files: FileLayer, dir: string, truncation: Truncation): Promise<void> {
  await writeSmall(files, join(dir, INTENT), JSON.stringify(truncation));
  await files.syncFolder(dir);
}

async function readIntent(files: FileLayer, dir: string): Promise<Truncation | null> {
  if (!(await files.list(dir)).includes(INTENT)) return null;
  const bytes = Buffer.alloc(4096);
  const length = await withFile(files, join(dir, INTENT), (file) => readFully(file, bytes, 0));
  try {
    return JSON.parse(bytes.toString('utf8', 0, length)) as Truncation;
  } catch {
    // Not whole, so it was not durable yet and nothing was cut.
    return null;
  }
}

function isRecorded(truncation: Truncation, standing: Standing): boolean {
  if (standing.newest?.kind !== 'recovery') return false;
  const told = JSON.parse(Buffer.from(standing.newest.payload).toString('utf8')) as Truncation;
  return told.segment === truncation.segment && told.offset === truncation.offset;
}

/** An entry of the ledger itself. */
export function ownRecord(kind: RecordDraft['kind'], content: unknown): RecordDraft {
  const payload = JSON.stringify(content);
  return { payload, payloadBytes: Buffer.byteLength(payload), atMs: Date.now(), kind };
}
