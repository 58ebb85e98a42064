import type { Appended } from './append-queue.ts';
import type { Anchor } from './epoch/seal.ts';
import { field, recomputeHash, type SegmentHeader, toHex, toLatin1 } from './format.ts';
import type { LedgerProblem, ProblemKind } from './problems.ts';

type Place = Pick<LedgerProblem, 'segment' | 'offset'>;

/** The problems kept of one verification; a ledger of noise must not fill the memory. */
const PROBLEMS_MAX = 1000;

/**
 * Judges records in the order in which they are read: what was changed, is missing, stands in the wrong place or stands there twice. A
 * record that fills a gap found earlier was moved, not lost; a run of moved or repeated records is one problem.
 */
export class Sequence {
  records = 0;
  readonly problems: LedgerProblem[];
  readonly #anchors: Map<number, Anchor[]>;
  /** The highest seq so far. A hash is latin1, and null when its record could not be read. */
  #high: { seq: number; hash: string | null };
  /** The record read last, wherever it belongs. */
  #previous: { seq: number; hash: string | null };
  #gaps: { from: number; to: number; place: Place; kind: ProblemKind }[] = [];
  readonly #noted: number;
  #agreed = 0;
  #refuted: { anchor: Anchor; place: Place } | null = null;

  constructor(base: Appended, anchors: readonly Anchor[], problems: LedgerProblem[] = []) {
    this.problems = problems;
    this.#high = { seq: base.seq, hash: toLatin1(base.hash) };
    this.#previous = this.#high;
    this.#agreed = base.seq;
    this.#noted = Math.max(0, ...anchors.map(({ seq }) => seq));
    this.#anchors = Map.groupBy(anchors, ({ seq }) => seq);
  }

  get expectedSeq(): number {
    return this.#previous.seq + 1;
  }

  get highestSeq(): number {
    return this.#high.seq;
  }

  /** Whether somebody knows of record `seq`, so that it was safe once. */
  isNoted(seq: number): boolean {
    return this.#noted >= seq;
  }

  /** Hash of the newest record, hex; empty when that record cannot be read. */
  get lastHash(): string {
    return this.#high.hash === null ? '' : toHex(this.#high.hash);
  }

  report(kind: ProblemKind, place: Place, message: string, seq?: number): void {
    if (this.problems.length >= PROBLEMS_MAX) return;
    this.problems.push({
      kind,
      segment: place.segment,
      offset: place.offset,
      ...(seq === undefined ? {} : { seq }),
      message,
    });
  }

  record(bytes: Buffer, at: number, recordBytes: number, segment: string, offset: number): void {
    const seq = field.seq(bytes, at);
    const hash = field.hash(bytes, at);
    this.records++;
    const isItself = recomputeHash(bytes, at, recordBytes) === hash;
    if (!isItself) {
      this.report('hash', { segment, offset }, `the content of record ${seq} does not give its hash`, seq);
    }
    if (seq !== this.#previous.seq + 1) this.#outOfLine(seq, { segment, offset });
    if (seq === this.#previous.seq + 1) this.#checkLink(seq, field.previousHash(bytes, at), segment, offset);
    if (seq <= this.#high.seq) this.#fill(seq);
    this.#previous = { seq, hash };
    if (seq > this.#high.seq) this.#high = this.#previous;
    if (this.#anchors.size > 0 && isItself && this.#anchors.has(seq)) this.#compare(seq, hash, { segment, offset });
  }

  /** The header of a segment; `isPredecessorThere`: the segment that it counts as the one before it exists. */
  segment(header: SegmentHeader, isPredecessorThere: boolean, segment: string): void {
    const { firstSeq, previousHash } = header;
    const place = { segment, offset: 0 };
    if (firstSeq > this.#high.seq + 1) {
      const kind = isPredecessorThere ? 'gap' : 'missing-segment';
      this.#gaps.push({ from: this.#high.seq + 1, to: firstSeq - 1, place, kind });
      this.#high = { seq: firstSeq - 1, hash: null };
    }
    if (firstSeq === this.#high.seq + 1) this.#previous = this.#high;
    if (firstSeq === this.#previous.seq + 1) this.#checkLink(firstSeq, toLatin1(previousHash), segment, 0);
  }

  /** Records up to `seq` could not be read and are reported as damaged; what follows is judged from there. */
  passOver(seq: number): void {
    if (seq <= this.#high.seq) return;
    this.#high = { seq, hash: null };
    this.#previous = this.#high;
  }

  /** Nothing more comes: what is still missing is lost, and what was noted elsewhere must be there. */
  end(newest: string): void {
    for (const { from, to, place, kind } of this.#gaps) {
      this.report(kind, place, `${recordsAre(from, to)} missing before this place`, from);
    }
    this.#judgeEnd(newest);
    this.#judgeHistory();
  }

  #judgeEnd(segment: string): void {
    const ahead = [...this.#anchors.values()].flat().filter(({ seq }) => seq > this.#high.seq);
    if (ahead.length === 0) return;
    const to = Math.max(...ahead.map(({ seq }) => seq));
    const from = this.#high.seq + 1;
    const inside = ahead.find((anchor) => anchor.inside);
    const place = { segment, offset: 0 };
    const { source, seq } = inside ?? ahead[0]!;
    const what = `${recordsAre(from, to)} missing at the end`;
    if (inside) this.report('cut-end', place, `${what}: the ${source} knows of record ${seq}`, from);
    else
      this.report(
        'rolled-back',
        place,
        `${what}: the folder is older than the ${source}, which knows of record ${seq}`,
        from,
      );
  }

  #judgeHistory(): void {
    if (!this.#refuted) return;
    const { anchor, place } = this.#refuted;
    const from = this.#agreed + 1;
    const which = `between record ${from} and record ${anchor.seq} history was written anew`;
    this.report('rewritten', place, `${which}: record ${anchor.seq} is not the one the ${anchor.source} knows`, from);
  }

  #compare(seq: number, hash: string, place: Place): void {
    const wrong = this.#anchors.get(seq)!.find((anchor) => toLatin1(anchor.hash) !== hash);
    if (!wrong) {
      if (!this.#refuted) this.#agreed = Math.max(this.#agreed, seq);
    } else this.#refuted ??= { anchor: wrong, place };
  }

  #outOfLine(seq: number, place: Place): void {
    const { seq: high } = this.#high;
    if (seq > high) {
      if (seq > high + 1) this.#gaps.push({ from: high + 1, to: seq - 1, place, kind: 'gap' });
      // After moved records the line goes on where it was left.
      else this.#previous = this.#high;
    } else if (this.#gaps.some(({ from, to }) => from <= seq && seq <= to)) {
      this.report('order', place, `record ${seq} stands behind record ${this.#previous.seq}`, seq);
    } else {
      this.report('duplicate', place, `record ${seq} stands here again, behind record ${this.#previous.seq}`, seq);
    }
  }

  #checkLink(seq: number, previousHash: string, segment: string, offset: number): void {
    if (this.#previous.hash === null || this.#previous.hash === previousHash) return;
    this.report('link', { segment, offset }, `the link of record ${seq} is not the hash of record ${seq - 1}`, seq);
  }

  #fill(seq: number): void {
    if (this.#gaps.length === 0) return;
    this.#gaps = this.#gaps.flatMap((gap) => {
      if (seq < gap.from || seq > gap.to) return [gap];
      const parts = [
        { ...gap, to: seq - 1 },
        { ...gap, from: seq + 1 },
      ];
      return parts.filter(({ from, to }) => from <= to);
    });
  }
}

const recordsAre = (from: number, to: number): string =>
  from === to ? `record ${from} is` : `records ${from} to ${to} are`;
