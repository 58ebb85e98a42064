import { diskFiles } from '../files.ts';
import { field, RECORD_OVERHEAD_BYTES, SEGMENT_HEADER_BYTES } from '../format.ts';
import { listSegments, withFile } from '../segments.ts';
import { walkRecords } from '../walk.ts';
import type { LeafSource } from './leaf.ts';

const HASH_BYTES = 32;
const PAYLOAD_AT = RECORD_OVERHEAD_BYTES - HASH_BYTES;

/**
 * The records from `from` on, as long as each is whole and follows on, straight from the segments: an iterator over records costs more than
 * the tree. Hashes and links are not computed again; the root binds every byte of them. Ends at the first flaw, or when `take` answers
 * `end`; after `pause` it waits for `onPause`. What `take` is given is used again afterwards.
 */
export async function walkLeaves(
  dir: string,
  from: number,
  take: (source: LeafSource, payloadBytes: number) => 'go on' | 'pause' | 'end',
  onPause: () => Promise<void>,
): Promise<void> {
  const { segments } = await listSegments(diskFiles, dir);
  const begin = Math.max(
    0,
    segments.findLastIndex(({ firstSeq }) => firstSeq <= from),
  );
  let next = from;
  let answer: ReturnType<typeof take> = 'go on';
  for (const segment of segments.slice(begin)) {
    if (segment.firstSeq > next) return;
    const isWhole = await withFile(diskFiles, segment.path, async (file) => {
      for (let offset = SEGMENT_HEADER_BYTES; ; ) {
        const walk = await walkRecords(file, offset, (bytes, at) => {
          const seq = field.seq(bytes, at);
          if (seq < next) return true;
          if (seq > next) answer = 'end';
          else {
            const source = sourceAt(bytes, at);
            answer = source ? take(source, source.payload.length) : 'end';
            next++;
          }
          return answer === 'go on';
        });
        if (answer === 'pause') await onPause();
        if (answer === 'end' || walk.flaw !== null) return false;
        if (!walk.stopped) return true;
        offset = walk.end;
        answer = 'go on';
      }
    });
    if (!isWhole) return;
  }
}

function sourceAt(bytes: Buffer, at: number): (LeafSource & { payload: Buffer }) | null {
  const kind = field.kind(bytes, at);
  if (kind === undefined) return null;
  const end = at + PAYLOAD_AT + field.payloadBytes(bytes, at);
  return {
    seq: field.seq(bytes, at),
    atMs: field.atMs(bytes, at),
    kind,
    hash: bytes.toString('hex', end, end + HASH_BYTES),
    payload: bytes.subarray(at + PAYLOAD_AT, end),
  };
}
