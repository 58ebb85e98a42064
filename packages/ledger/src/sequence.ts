import { field, GENESIS_HASH, recomputeHash, toHex, toLatin1 } from './format.ts';

/**
 * checksum   bytes are not those that were written
 * hash       the content was changed and the checksum made to fit
 * link       the record, or its segment, does not name the hash of the one before it
 * gap        records are missing
 * order      records stand in the wrong place
 * duplicate  records stand there twice
 * header     the header of a segment is damaged
 * segment    a file is not the segment its name says
 * torn-tail  the newest segment ends in a write that never finished; the next writer cuts it off and records that
 */
export type ProblemKind =
  | 'checksum'
  | 'hash'
  | 'link'
  | 'gap'
  | 'order'
  | 'duplicate'
  | 'header'
  | 'segment'
  | 'torn-tail';

export interface LedgerProblem {
  kind: ProblemKind;
  segment: string;
  /** Byte of the segment file. */
  offset: number;
  /** The record, or the first of several. */
  seq?: number;
  message: string;
}

type Place = Pick<LedgerProblem, 'segment' | 'offset'>;

/** The problems kept of one verification; a ledger of noise must not fill the memory. */
const PROBLEMS_MAX = 1000;

/**
 * Judges records in the order in which they are read: what was changed, is missing, stands in the wrong place or stands there twice. A
 * record that fills a gap found earlier was moved, not lost; a run of moved or repeated records is one problem.
 */
export class Sequence {
  records = 0;
  readonly problems: LedgerProblem[] = [];
  /** The highest seq so far. A hash is latin1, and null when its record could not be read. */
  #high: { seq: number; hash: string | null } = { seq: 0, hash: toLatin1(GENESIS_HASH) };
  /** The record read last, wherever it belongs. */
  #previous = this.#high;
  #gaps: { from: number; to: number; place: Place }[] = [];

  get expectedSeq(): number {
    return this.#previous.seq + 1;
  }

  /** Hash of the newest record, hex; empty when that record cannot be read. */
  get lastHash(): string {
    return this.#high.hash === null ? '' : toHex(this.#high.hash);
  }

  report(kind: ProblemKind, place: Place, message: string, seq?: number): void {
    if (this.problems.length >= PROBLEMS_MAX) return;
    this.problems.push({ kind, ...place, ...(seq === undefined ? {} : { seq }), message });
  }

  record(bytes: Buffer, at: number, recordBytes: number, place: Place): void {
    const seq = field.seq(bytes, at);
    const hash = field.hash(bytes, at);
    this.records++;
    if (recomputeHash(bytes, at, recordBytes) !== hash) {
      this.report('hash', place, `the content of record ${seq} does not give its hash`, seq);
    }
    if (seq !== this.#previous.seq + 1) this.#outOfLine(seq, place);
    if (seq === this.#previous.seq + 1) this.#checkLink(seq, field.previousHash(bytes, at), place);
    if (seq <= this.#high.seq) this.#fill(seq);
    this.#previous = { seq, hash };
    if (seq > this.#high.seq) this.#high = this.#previous;
  }

  /** The header of a segment that begins with `firstSeq`. */
  segment(firstSeq: number, previousHash: string, place: Place): void {
    if (firstSeq === this.#high.seq + 1) this.#previous = this.#high;
    if (firstSeq === this.#previous.seq + 1) this.#checkLink(firstSeq, toLatin1(previousHash), place);
  }

  /** Records up to `seq` could not be read and are reported as damaged; what follows is judged from there. */
  passOver(seq: number): void {
    if (seq <= this.#high.seq) return;
    this.#high = { seq, hash: null };
    this.#previous = this.#high;
  }

  /** Nothing more comes: what is still missing is lost. */
  end(): void {
    for (const { from, to, place } of this.#gaps) {
      const which = from === to ? `record ${from} is` : `records ${from} to ${to} are`;
      this.report('gap', place, `${which} missing before this place`, from);
    }
  }

  #outOfLine(seq: number, place: Place): void {
    const { seq: high } = this.#high;
    if (seq > high) {
      if (seq > high + 1) this.#gaps.push({ from: high + 1, to: seq - 1, place });
      // After moved records the line goes on where it was left.
      else this.#previous = this.#high;
    } else if (this.#gaps.some(({ from, to }) => from <= seq && seq <= to)) {
      this.report('order', place, `record ${seq} stands behind record ${this.#previous.seq}`, seq);
    } else {
      this.report('duplicate', place, `record ${seq} stands here again, behind record ${this.#previous.seq}`, seq);
    }
  }

  #checkLink(seq: number, previousHash: string, place: Place): void {
    if (this.#previous.hash === null || this.#previous.hash === previousHash) return;
    this.report('link', place, `the link of record ${seq} is not the hash of record ${seq - 1}`, seq);
  }

  #fill(seq: number): void {
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
