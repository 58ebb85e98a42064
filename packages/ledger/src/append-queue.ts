import { GraceError } from '@grace/contracts';
import { MAX_PAYLOAD_BYTES, RECORD_OVERHEAD_BYTES, type RecordDraft } from './format.ts';

export interface Appended {
  seq: number;
  /** SHA-256, hex. */
  hash: string;
}

export interface QueueSettings {
  dir: string;
  groupCommitMs: number;
  maxBatch: number;
  maxBatchBytes: number;
  maxPendingBytes: number;
}

/** Makes a batch durable; resolves with the seq of its first record and the hash of each. `upNext` names the batch that follows, if it is sealed. */
type Commit = (
  records: readonly RecordDraft[],
  upNext: () => readonly RecordDraft[] | null,
) => Promise<{ firstSeq: number; hashes: string[] }>;

interface Batch {
  records: RecordDraft[];
  bytes: number;
  settle: { resolve(value: Appended): void; reject(error: unknown): void }[];
  /** Takes no more records and waits no longer. */
  sealed: boolean;
  written: PromiseWithResolvers<void>;
}

/**
 * Group commit. Records are put into batches as they come; one batch is written at a time. A sealed batch goes at once. An open one goes at
 * once too when the batch before it was a lone record, for then there is no company to wait for; otherwise when `groupCommitMs` have passed
 * since that batch began. What waits is bounded in bytes; past the bound an append is refused instead of held back, because whoever waits
 * holds its payload all the same.
 */
export class AppendQueue {
  readonly #settings: QueueSettings;
  readonly #commit: Commit;
  readonly #waiting: Batch[] = [];
  #writing: Batch | null = null;
  #pendingBytes = 0;
  #hadCompany = false;
  #lastBeginMono = Number.NEGATIVE_INFINITY;
  #cancelWait: (() => void) | null = null;
  #waitsForTurn = false;
  #closed = false;

  constructor(settings: QueueSettings, commit: Commit) {
    this.#settings = settings;
    this.#commit = commit;
  }

  append(payload: Uint8Array | string): Promise<Appended> {
    const payloadBytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength;
    const recordBytes = payloadBytes + RECORD_OVERHEAD_BYTES;
    const refusal = this.#refusal(payloadBytes, recordBytes);
    if (refusal) return Promise.reject(refusal);
    const batch = this.#batchFor(recordBytes);
    // The caller may use its bytes again at once; a string cannot change.
    const kept = typeof payload === 'string' ? payload : Uint8Array.from(payload);
    batch.records.push({ payload: kept, payloadBytes, atMs: Date.now(), kind: 'data' });
    batch.bytes += recordBytes;
    this.#pendingBytes += recordBytes;
    if (batch.records.length >= this.#settings.maxBatch) batch.sealed = true;
    this.#schedule();
    return new Promise((resolve, reject) => {
      batch.settle.push({ resolve, reject });
    });
  }

  /** Resolves when everything appended before is durable; rejects with the first failure among it. */
  async flush(): Promise<void> {
    const before = [...(this.#writing ? [this.#writing] : []), ...this.#waiting];
    for (const batch of before) batch.sealed = true;
    this.#schedule();
    const settled = await Promise.allSettled(before.map((batch) => batch.written.promise));
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Refuses what comes from now on, and waits until what came before is settled. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush().catch(() => undefined);
    this.#cancelWait?.();
  }

  #refusal(payloadBytes: number, recordBytes: number): GraceError | null {
    const { dir, maxPendingBytes } = this.#settings;
    if (this.#closed) return new GraceError('LEDGER_CLOSED', `${dir}: the ledger is closed`);
    if (payloadBytes > MAX_PAYLOAD_BYTES) {
      return new GraceError('TOO_LARGE', `a record holds at most ${MAX_PAYLOAD_BYTES} bytes, got ${payloadBytes}`);
    }
    if (this.#pendingBytes > 0 && this.#pendingBytes + recordBytes > maxPendingBytes) {
      return new GraceError(
        'CONFLICT',
        `${dir}: ${this.#pendingBytes} bytes wait to be written, the bound is ${maxPendingBytes}; try again later`,
        { pendingBytes: this.#pendingBytes, maxPendingBytes },
      );
    }
    return null;
  }

  #batchFor(recordBytes: number): Batch {
    const open = this.#waiting.at(-1);
    if (open && !open.sealed) {
      if (open.bytes + recordBytes <= this.#settings.maxBatchBytes) return open;
      open.sealed = true;
    }
    const batch: Batch = { records: [], bytes: 0, settle: [], sealed: false, written: Promise.withResolvers() };
    batch.written.promise.catch(() => undefined);
    this.#waiting.push(batch);
    return batch;
  }

  #schedule(): void {
    const first = this.#waiting[0];
    if (!first || this.#writing) return;
    const waitMs = this.#hadCompany ? this.#lastBeginMono + this.#settings.groupCommitMs - performance.now() : 0;
    // Never in this turn: what else the caller appends in it belongs to the same batch.
    if (first.sealed || waitMs <= 0) this.#waitTurn();
    else if (!this.#cancelWait) this.#waitMs(waitMs);
  }

  #waitTurn(): void {
    if (this.#waitsForTurn) return;
    this.#cancelWait?.();
    this.#waitsForTurn = true;
    const turn = setImmediate(() => this.#begin());
    this.#cancelWait = () => clearImmediate(turn);
  }

  #waitMs(ms: number): void {
    const timer = setTimeout(() => this.#begin(), ms);
    this.#cancelWait = () => clearTimeout(timer);
  }

  #begin(): void {
    this.#cancelWait = null;
    this.#waitsForTurn = false;
    const batch = this.#waiting.shift();
    if (!batch) return;
    batch.sealed = true;
    this.#writing = batch;
    this.#lastBeginMono = performance.now();
    this.#hadCompany = batch.records.length > 1;
    const upNext = () => (this.#waiting[0]?.sealed ? this.#waiting[0].records : null);
    this.#commit(batch.records, upNext).then(
      ({ firstSeq, hashes }) => {
        for (const [i, { resolve }] of batch.settle.entries()) resolve({ seq: firstSeq + i, hash: hashes[i]! });
        batch.written.resolve();
        this.#ended(batch);
      },
      (error: unknown) => {
        for (const { reject } of batch.settle) reject(error);
        batch.written.reject(error);
        this.#ended(batch);
      },
    );
  }

  #ended(batch: Batch): void {
    this.#writing = null;
    this.#pendingBytes -= batch.bytes;
    this.#schedule();
  }
}
