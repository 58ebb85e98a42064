import { SEGMENT_HEADER_BYTES } from './format.ts';
import type { SegmentName } from './segments.ts';
import { SparseIndex } from './sparse-index.ts';

/** Where a record begins. */
export interface Mark {
  seq: number;
  segment: SegmentName;
  offset: number;
}

const SPACING_BYTES = 64 * 1024;

/**
 * Where some records begin, so that a read does not walk a whole segment: each segment's first, and of the others one about every 64 KiB,
 * as far as they were written or read here. They hold as long as nobody moves a record, so whoever repairs or seals begins with new ones.
 */
export class Marks {
  /** All of them, in order. */
  readonly segments: SegmentName[] = [];
  readonly #inside = new SparseIndex<Mark>(SPACING_BYTES, bytesBetween);

  constructor(segments: readonly SegmentName[]) {
    for (const segment of segments) this.open(segment);
  }

  open(segment: SegmentName): void {
    this.segments.push(segment);
  }

  /** Offers the place of a record that has been written or verified. */
  note(seq: number, segment: SegmentName, offset: number): void {
    if (offset >= SPACING_BYTES) this.#inside.note({ seq, segment, offset });
  }

  /** The nearest known place at or before `seq`; the first place of all when there is none. */
  before(seq: number): Mark | null {
    const inside = this.#inside.before(seq);
    const segment = this.segments.findLast(({ firstSeq }) => firstSeq <= seq) ?? this.segments[0];
    if (inside && !(segment && segment.firstSeq >= inside.seq)) return inside;
    return segment ? { seq: segment.firstSeq, segment, offset: SEGMENT_HEADER_BYTES } : null;
  }
}

const bytesBetween = (before: Mark, behind: Mark): number =>
  before.segment.path === behind.segment.path ? behind.offset - before.offset : Number.POSITIVE_INFINITY;
