import type { ServerResponse } from 'node:http';
import type { AnyRecord } from '@grace/contracts';
import { endFrame, openFrame, placeFrame, recordFrame } from './frame.ts';
import type { JournalTail } from './journal-tail.ts';

/** After how long a reader comes again. */
const RETRY_MS = 1000;
const STALL_PARTS = 4;

export interface StreamParts {
  response: ServerResponse;
  tail: JournalTail;
  /** Records behind this one. */
  after: number;
  wants(record: AnyRecord): boolean;
  stallMs: number;
  onClose(): void;
}

/**
 * One reader of the journal. It has a place in the journal and no queue: what its socket does not take is not read for it. So the slowest
 * reader costs one socket buffer and loses nothing; it is behind. One that takes nothing for `stallMs` is ended, and comes back by its last id.
 */
export class EventStream {
  readonly #parts: StreamParts;
  #place: number;
  #isPumping = false;
  #again = false;
  #isOpen = true;
  readonly #unfollow: () => void;
  #stall: NodeJS.Timeout | undefined;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#place = parts.after;
    const { response, tail } = parts;
    response.on('error', () => response.destroy());
    response.once('close', () => this.#closed());
    response.write(openFrame(RETRY_MS));
    this.#unfollow = tail.follow(() => void this.#pump());
    void this.#pump();
  }

  /** A sign of life, which also tells the reader its place. */
  beat(): void {
    if (this.#isOpen && this.#stall === undefined) this.#parts.response.write(placeFrame(this.#place));
  }

  end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#unfollow();
    this.#parts.response.end(endFrame(reason, RETRY_MS));
  }

  async #pump(): Promise<void> {
    this.#again = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#again && this.#isOpen) {
        this.#again = false;
        await this.#send();
      }
    } catch {
      // The journal cannot be read at this moment; the tail goes on looking, and calls again.
    } finally {
      this.#isPumping = false;
    }
  }

  async #send(): Promise<void> {
    for (;;) {
      const { records } = await this.#parts.tail.page(this.#place);
      if (records.length === 0) return;
      for (const record of records) {
        if (!this.#isOpen) return;
        this.#place = record.seq;
        if (this.#parts.wants(record) && !this.#parts.response.write(recordFrame(record))) await this.#drained();
      }
    }
  }

  async #drained(): Promise<void> {
    const { response, stallMs } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<void>();
    // In parts: when this thread itself was held up, its timers fire before it has looked at its sockets.
    let parts = 0;
    this.#stall = setInterval(() => ++parts >= STALL_PARTS && response.destroy(), stallMs / STALL_PARTS);
    response.once('drain', resolve);
    response.once('close', resolve);
    await promise;
    clearInterval(this.#stall);
    this.#stall = undefined;
    response.off('drain', resolve);
    response.off('close', resolve);
  }

  #closed(): void {
    this.#isOpen = false;
    clearInterval(this.#stall);
    this.#unfollow();
    this.#parts.onClose();
  }
}
