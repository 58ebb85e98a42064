import { GraceError } from '@grace/contracts';
import type { Appended, QueueSettings } from './append-queue.ts';
import { MAX_PAYLOAD_BYTES, RECORD_OVERHEAD_BYTES } from './format.ts';
import type { SegmentWriter } from './segment-writer.ts';

interface Waiting {
  appended: Appended;
  resolve(value: Appended): void;
  reject(error: unknown): void;
}

/**
 * Hands each record to the operating system before `append` returns, so that the end of this process loses nothing that was appended. Made
 * durable is what came within `groupCommitMs` together. Past `maxPendingBytes` that the disk has not confirmed, an append waits for it:
 * nothing is refused, and what waits stays bounded.
 */
export class ThroughQueue {
  readonly #settings: Pick<QueueSettings, 'dir' | 'groupCommitMs' | 'maxPendingBytes'>;
  readonly #writer: SegmentWriter;
  #waiting: Waiting[] = [];
  #pendingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #settling: Promise<void> | null = null;
  #closed = false;

  constructor(settings: Pick<QueueSettings, 'dir' | 'groupCommitMs' | 'maxPendingBytes'>, writer: SegmentWriter) {
    this.#settings = settings;
    this.#writer = writer;
  }

  append(payload: Uint8Array | string): Promise<Appended> {
    if (this.#closed)
      return Promise.reject(new GraceError('LEDGER_CLOSED', `${this.#settings.dir}: the ledger is closed`));
    const payloadBytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
    if (payloadBytes > MAX_PAYLOAD_BYTES) {
      return Promise.reject(
        new GraceError('TOO_LARGE', `a record holds at most ${MAX_PAYLOAD_BYTES} bytes, got ${payloadBytes}`),
      );
    }
    try {
      if (this.#pendingBytes > this.#settings.maxPendingBytes) {
        this.#writer.settleNow();
        this.#pendingBytes = 0;
      }
      const appended = this.#writer.put({ payload, payloadBytes, atMs: Date.now(), kind: 'data' });
      this.#pendingBytes += payloadBytes + RECORD_OVERHEAD_BYTES;
      return new Promise((resolve, reject) => {
        this.#waiting.push({ appended, resolve, reject });
        this.#schedule();
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when everything appended before is durable. */
  async flush(): Promise<void> {
    await this.#settling?.catch(() => undefined);
    if (this.#waiting.length > 0) await this.#settle();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.flush().catch(() => undefined);
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#settling || this.#timer) return;
    this.#timer = setTimeout(() => void this.#settle().catch(() => undefined), this.#settings.groupCommitMs);
  }

  #settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#settling ??= this.#settleWaiting().finally(() => {
      this.#settling = null;
      if (this.#waiting.length > 0) this.#schedule();
    });
    return this.#settling;
  }

  async #settleWaiting(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#pendingBytes = 0;
    try {
      await this.#writer.settle();
      for (const { appended, resolve } of waiting) resolve(appended);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      throw error;
    }
  }
}
