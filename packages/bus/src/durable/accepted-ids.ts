import { Fifo } from '../wire/lanes.ts';

/** Ids that are remembered at most, whatever the window says: about 20 MB. */
const REMEMBERED = 262_144;

/** Ids by sender: they are the sender's choice, so each sender has its own. */
export type Ids = [from: string, ids: string[]][];

interface Batch {
  atMs: number;
  ids: Ids;
  count: number;
}

/**
 * Ids of durable messages that were accepted within the window. Remembering costs one entry per commit; an index is built only when somebody
 * asks, which happens for messages that were sent again or carry an id of the sender's choice.
 */
export class AcceptedIds {
  readonly #windowMs: number;
  readonly #batches = new Fifo<Batch>();
  #size = 0;
  #index: Map<string, Set<string>> | undefined;
  #addedSinceAsked = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(ids: Ids, atMs: number): void {
    const count = ids.reduce((sum, [, own]) => sum + own.length, 0);
    const batch = { atMs, ids, count };
    this.#batches.push(batch);
    this.#size += count;
    if (this.#index) {
      this.#addToIndex(batch);
      this.#addedSinceAsked += count;
      if (this.#addedSinceAsked > REMEMBERED) this.#index = undefined;
    }
    while (this.#size > REMEMBERED) this.#forgetOldest();
    this.#forgetBefore(atMs - this.#windowMs);
  }

  has(from: string, id: string, nowMs: number): boolean {
    this.#forgetBefore(nowMs - this.#windowMs);
    if (!this.#index) {
      this.#index = new Map();
      for (const batch of this.#batches) this.#addToIndex(batch);
    }
    this.#addedSinceAsked = 0;
    return this.#index.get(from)?.has(id) === true;
  }

  #addToIndex({ ids }: Batch): void {
    for (const [from, own] of ids) {
      const known = this.#index!.get(from) ?? new Set();
      for (const id of own) known.add(id);
      this.#index!.set(from, known);
    }
  }

  #forgetBefore(atMs: number): void {
    for (let oldest = this.#batches.peek(); oldest && oldest.atMs < atMs; oldest = this.#batches.peek()) {
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const { ids, count } = this.#batches.shift()!;
    this.#size -= count;
    for (const [from, own] of this.#index ? ids : []) {
      const known = this.#index!.get(from)!;
      for (const id of own) known.delete(id);
      if (known.size === 0) this.#index!.delete(from);
    }
  }
}
