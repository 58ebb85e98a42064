import { field, recomputeHash, toHex, toLatin1 } from './format.ts';

/** Follows seqs and links from one record to the next. */
export class Chain {
  seq: number;
  /** Hash of record `seq` in latin1; null when it is not known, so that the next link cannot be judged. */
  #hash: string | null;

  constructor(seq: number, hash: string | null) {
    this.seq = seq;
    this.#hash = hash === null ? null : toLatin1(hash);
  }

  get hash(): string | null {
    return this.#hash === null ? null : toHex(this.#hash);
  }

  /** What is wrong with the record as the next of the chain, or null. Moves on when nothing is. */
  fault(bytes: Buffer, at: number, recordBytes: number, recompute: boolean): string | null {
    const seq = field.seq(bytes, at);
    if (seq !== this.seq + 1) return `expected record ${this.seq + 1}, found record ${seq}`;
    if (this.#hash !== null && field.previousHash(bytes, at) !== this.#hash) {
      return 'its link is not the hash of the record before it';
    }
    const hash = field.hash(bytes, at);
    if (recompute && recomputeHash(bytes, at, recordBytes) !== hash) return 'its content does not give its hash';
    this.seq = seq;
    this.#hash = hash;
    return null;
  }
}
