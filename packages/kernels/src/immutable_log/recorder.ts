import { GraceError } from '@grace/contracts';
import type { Ledger } from '@grace/ledger';
import { digestOf, type Entry, encodeEntry } from './entry.ts';
import type { SearchIndex } from './search-index.ts';

export interface Receipt {
  seq: number;
  /** SHA-256, hex. */
  hash: string;
  /** The key was there already: this is the receipt of the earlier entry, and nothing was written. */
  repeated: boolean;
}

interface FreshKey {
  digest: string;
  /** Null until it is durable. */
  seq: number | null;
  written: Promise<{ seq: number; hash: string }>;
}

/** How long an entry with a key waits for the index of keys after a start. */
const KEYS_DEADLINE_MS = 2000;
/** Keys the index has not taken in yet; beyond it, keyed entries are refused until it has. */
const FRESH_KEYS_MAX = 50_000;

/** Appends entries, each key once. */
export class Recorder {
  /** Whether the newest attempt to write failed. */
  isFailing = false;
  appended = 0;
  readonly #ledger: Ledger;
  readonly #index: SearchIndex;
  readonly #onAppend: () => void;
  /** Throws when nothing may be appended. */
  readonly #assertSound: () => void;
  /** The newest record of earlier incarnations: their keys are known when the index has come this far. */
  readonly #keysUpTo: number;
  /** By actor and key: written in this incarnation and perhaps not indexed yet. */
  readonly #fresh = new Map<string, FreshKey>();

  constructor(ledger: Ledger, index: SearchIndex, onAppend: () => void, assertSound: () => void) {
    this.#assertSound = assertSound;
    this.#ledger = ledger;
    this.#index = index;
    this.#onAppend = onAppend;
    this.#keysUpTo = ledger.last.seq;
  }

  /**
   * Resolves when the entry is durable.
   * @throws GraceError `CONFLICT` when the key was used for something else, or too much is waiting; `TOO_LARGE`, `BAD_INPUT`,
   *   `STORAGE_FULL`, `STORAGE_FAILED`; `LEDGER_CORRUPT` while the record is known not to be the one that was signed
   */
  async append(entry: Entry, by: string): Promise<Receipt> {
    const text = encodeEntry(entry, by);
    if (entry.idempotencyKey === undefined) return { ...(await this.#write(text)), repeated: false };
    if (this.#index.seq < this.#keysUpTo) await this.#awaitKeys();

    // From here to the entry in `#fresh` nothing is awaited: two with one key cannot both pass.
    const name = JSON.stringify([entry.actor, entry.idempotencyKey]);
    const digest = digestOf(entry);
    const earlier = this.#fresh.get(name) ?? this.#index.key(entry.actor, entry.idempotencyKey);
    if (earlier) {
      if (earlier.digest !== digest) throw usedOtherwise(entry, earlier.seq);
      const { seq, hash } = 'written' in earlier ? await earlier.written : earlier;
      return { seq, hash, repeated: true };
    }
    if (this.#fresh.size >= FRESH_KEYS_MAX) throw this.#behind();
    const fresh: FreshKey = { digest, seq: null, written: this.#write(text) };
    this.#fresh.set(name, fresh);
    try {
      const receipt = await fresh.written;
      fresh.seq = receipt.seq;
      return { ...receipt, repeated: false };
    } catch (error) {
      this.#fresh.delete(name);
      throw error;
    }
  }

  /** Forgets the keys that the index has taken in by now; they stand in the order of records. */
  forgetIndexedKeys(): void {
    for (const [name, { seq }] of this.#fresh) {
      if (seq === null || seq > this.#index.seq) return;
      this.#fresh.delete(name);
    }
  }

  async #write(text: string): Promise<{ seq: number; hash: string }> {
    this.#assertSound();
    try {
      const receipt = await this.#ledger.append(text);
      this.isFailing = false;
      this.appended++;
      this.#onAppend();
      return receipt;
    } catch (error) {
      this.isFailing = true;
      throw error;
    }
  }

  /** After a start the index may not know all keys yet; a key may not pass before it does. */
  async #awaitKeys(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.reject(this.#behind()), KEYS_DEADLINE_MS);
    try {
      await Promise.race([this.#index.catchUp(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
    if (this.#index.seq < this.#keysUpTo) throw this.#behind();
  }

  #behind(): GraceError {
    const { seq } = this.#index;
    const last = this.#ledger.last.seq;
    return new GraceError(
      'CONFLICT',
      `the index of idempotency keys knows ${seq} of ${last} records and takes in the rest now; try again later`,
      { indexed: seq, last },
    );
  }
}

function usedOtherwise({ actor, idempotencyKey }: Entry, seq: number | null): GraceError {
  return new GraceError(
    'CONFLICT',
    `input.idempotencyKey: ${actor} used "${idempotencyKey}" before, for ${seq === null ? 'another entry' : `record ${seq}`} with other content`,
    { actor, idempotencyKey, seq },
  );
}
