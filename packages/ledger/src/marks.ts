import { SEGMENT_HEADER_BYTES } from './format.ts';
import type { SegmentName } from './segments.ts';

export interface Mark {
  seq: number;
  segment: SegmentName;
  offset: number;
}

const SPACING_BYTES = 64 * 1024;

/** Where some records begin, so that a read does not walk a whole segment: each segment's first, and one about every 64 KiB. */
export class Marks {
  /** All of them, in order. */
  readonly segments: SegmentName[] = [];
  readonly #marks: Mark[] = [];

  constructor(segments: readonly SegmentName[]) {
    for (const segment of segments) this.open(segment);
  }

  open(segment: SegmentName): void {
    this.segments.push(segment);
    this.#marks.push({ seq: segment.firstSeq, segment, offset: SEGMENT_HEADER_BYTES });
  }

  /** Offers the place of a record of the newest segment. */
  note(seq: number, offset: number): void {
    const newest = this.#marks.at(-1);
    if (newest && offset - newest.offset >= SPACING_BYTES) {
      this.#marks.push({ seq, segment: newest.segment, offset });
    }
  }

  /** The nearest known place at or before `seq`. */
  before(seq: number): Mark | null {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#marks[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return this.#marks[low - 1] ?? this.#marks[0] ?? null;
  }
}
