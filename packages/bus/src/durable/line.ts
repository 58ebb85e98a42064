import { familyOf } from '../subject/subject.ts';
import type { Lane } from '../wire/lanes.ts';
import { Fifo } from '../wire/lanes.ts';
import { addTo, type Block, type Item, readSums, type Sums } from './block.ts';
import type { LineLoad } from './storage/orders.ts';

/** What one line has in memory at most, beside the last block; the rest waits on disk alone. */
const MEMORY_MESSAGES = 1024;
const MEMORY_BYTES = 4 * 1024 ** 2;
/** The next page is fetched when no more than this is ready. */
const PAGE_BELOW = 256;

/**
 * Messages of one priority for one consumer, in their order: a place for each. The oldest are in memory, ready to be sent; younger ones may be
 * on disk alone.
 */
export class Line {
  readonly number: number;
  readonly lane: Lane;
  /** The next place to be given. */
  next = 1;
  /** The last place that is on disk. */
  last = 0;
  /** Everything up to this place is in memory or over. */
  loadedTo = 0;
  /** Everything up to this place may have been sent by the life before. */
  sentTo = 0;
  /** What is written next stays in memory: everything up to this place was written with the mark that it may have been sent. */
  #expectedTo = 0;
  /** Never sent in this life. */
  readonly ready = new Fifo<Item>();
  /** To be sent again, in their order; all of them are older than what is ready and comes from the same publisher and subject. */
  again: Item[] = [];
  /** What is on disk and not settled. */
  sums: Sums = new Map();
  size = 0;
  bytes = 0;
  /** On the way to the disk. */
  arriving = { count: 0, bytes: 0 };
  /** A page is on its way. */
  paging = false;
  /** Some of what is in memory has a key. */
  keyed = false;
  /** Wall time of the oldest that is on disk alone, or was when last looked. */
  #behindAtMs: number | null = null;
  /** Blocks in memory, and how many of their messages are. */
  readonly #blocks = new Map<Block, number>();
  #held = { messages: 0, bytes: 0 };

  constructor(number: number, lane: Lane) {
    this.number = number;
    this.lane = lane;
  }

  load({ next, sums, oldestMs, sent }: LineLoad): void {
    this.next = Math.max(this.next, next);
    this.last = this.next - 1;
    this.sums = readSums(sums);
    this.size = 0;
    this.bytes = 0;
    for (const { count, bytes } of this.sums.values()) {
      this.size += count;
      this.bytes += bytes;
    }
    this.sentTo = Math.max(this.sentTo, sent);
    this.#behindAtMs = oldestMs;
  }

  /** Places for `count` messages that are sent to the disk now. */
  reserve(count: number, bytes: number): number {
    const first = this.next;
    this.next += count;
    this.arriving.count += count;
    this.arriving.bytes += bytes;
    return first;
  }

  /** Whether what was just reserved from `first` on will be in memory once it is on disk; it is then told so to the disk. */
  expectsNext(first: number, isAwaited: boolean): boolean {
    const continues = first - 1 === this.last || first - 1 === this.#expectedTo;
    const expected = isAwaited && continues && this.loadedTo === this.last && !this.#full;
    if (expected) this.#expectedTo = this.next - 1;
    return expected;
  }

  /** What was reserved is on disk. */
  arrived(first: number, count: number, bytes: number, sums: Sums, atMs: number): void {
    this.#landed(count, bytes);
    this.size += count;
    this.bytes += bytes;
    for (const [family, sum] of sums) addTo(this.sums, family, sum.count, sum.bytes);
    this.last = first + count - 1;
    if (this.loadedTo !== first - 1 || this.last > this.#expectedTo) this.#behindAtMs ??= atMs;
  }

  /** Whether what has just arrived stays in memory: nothing before it waits on disk alone, and the disk was told so. */
  mayHold(first: number): boolean {
    return this.loadedTo === first - 1 && this.last <= this.#expectedTo;
  }

  /** What was reserved is not on disk: the places stay empty. */
  refused(first: number, count: number, bytes: number): void {
    this.#landed(count, bytes);
    if (this.loadedTo === this.last) this.loadedTo = first + count - 1;
    this.last = first + count - 1;
  }

  /** One less waits on disk. */
  settled({ message }: Item): void {
    this.size--;
    this.bytes -= message.bytes;
    addTo(this.sums, familyOf(message.subject), -1, -message.bytes);
  }

  /** The block is in memory from now on, until all of it is settled. */
  hold(block: Block): void {
    this.loadedTo = block.first + block.count - 1;
    if (block.empty) return;
    let messages = 0;
    for (const item of block.items) {
      if (!item) continue;
      messages++;
      this.#held.messages++;
      this.#held.bytes += item.message.bytes;
      this.keyed ||= item.message.key !== null;
      this.ready.push(item);
    }
    this.#blocks.set(block, messages);
  }

  /** The item is settled. */
  release(item: Item): void {
    const messages = this.#blocks.get(item.block);
    if (messages === undefined) return;
    this.#held.messages--;
    this.#held.bytes -= item.message.bytes;
    if (messages === 1) this.#blocks.delete(item.block);
    else this.#blocks.set(item.block, messages - 1);
    if (this.#held.messages === 0) this.keyed = false;
  }

  /** Back at its old place among those that are sent again. */
  requeue(item: Item): void {
    item.state = 'ready';
    const place = placeOf(item);
    let at = this.again.length;
    while (at > 0 && placeOf(this.again[at - 1]!) > place) at--;
    this.again.splice(at, 0, item);
  }

  get wantsPage(): boolean {
    return (
      !this.paging && this.last > this.loadedTo && this.ready.size + this.again.length <= PAGE_BELOW && !this.#full
    );
  }

  /** A page came; `end`: nothing on disk comes after it. */
  paged(blocks: readonly Block[], end: boolean): void {
    for (const block of blocks) this.hold(block);
    if (end) this.loadedTo = this.last;
    this.#behindAtMs = this.last > this.loadedTo ? (blocks.at(-1)?.atMs ?? this.#behindAtMs) : null;
  }

  /** What is in memory, not sent, and needed by nobody any more. */
  takeLate(nowMs: number): Item[] {
    const late: Item[] = [];
    const keep = (item: Item): boolean => {
      const { expiresMs } = item.message;
      if (expiresMs === 0 || expiresMs > nowMs) return true;
      late.push(item);
      return false;
    };
    this.ready.filter(keep);
    this.again = this.again.filter(keep);
    return late;
  }

  isLoaded(place: number): boolean {
    return place <= this.loadedTo;
  }

  /** Wall time at which the oldest that waits was accepted; of what is on disk alone, at least as long ago as that. */
  get oldestAtMs(): number | null {
    if (this.size === 0) return null;
    for (const { atMs } of this.#blocks.keys()) return atMs;
    return this.#behindAtMs;
  }

  get #full(): boolean {
    return this.#held.messages >= MEMORY_MESSAGES || this.#held.bytes >= MEMORY_BYTES;
  }

  #landed(count: number, bytes: number): void {
    this.arriving.count -= count;
    this.arriving.bytes -= bytes;
  }
}

const placeOf = ({ block, index }: Item): number => block.first + index;
