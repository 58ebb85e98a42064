import type { Appended } from './append-queue.ts';
import type { Epoch } from './epoch/epochs.ts';
import type { SeqRange } from './epoch/seal.ts';
import type { RecordDraft } from './format.ts';
import type { LedgerProblem } from './problems.ts';
import type { LedgerRecord } from './record.ts';
import type { MirrorState } from './repair/mirror.ts';
import type { Repair, RepairOrder } from './repair/repair.ts';

export interface LedgerOptions {
  dir: string;
  /** The longest time a record waits for company before its batch is written, ms; 5. */
  groupCommitMs?: number;
  /** Records of one batch; 256. */
  maxBatch?: number;
  /** A segment grows no larger than this, unless a single record is; 16 MB. */
  segmentBytes?: number;
  /** A segment that is older gets no further batch, ms; a day. */
  segmentAgeMs?: number;
  /** Bytes that may wait to be written; 64 MB. Past it `append` rejects with `CONFLICT`. */
  maxPendingBytes?: number;
  /** Whether a batch is made durable before its appends resolve; true. Without it they survive the process, not the machine. */
  sync?: boolean;
  /**
   * Whether `append` hands the record to the operating system before it returns; false. Then the end of the process loses nothing that was
   * appended, and `last` is the newest record written; a rejection because of a failed sync says only that it may not survive the machine.
   */
  writeThrough?: boolean | undefined;
  /** Called with each batch that has become durable, before its appends resolve. It must not throw; what it does delays them. */
  onDurable?: ((batch: DurableBatch) => void) | undefined;
  /** Where the newest record is noted outside the folder, so that a folder that was set back as a whole is seen. */
  outerHead?: string | undefined;
  /** A folder that gets a second copy of every segment, a little later. A repair takes from it what is damaged here. */
  mirror?: string | undefined;
  /** Folders that belong to an epoch, and are put away with it when it is sealed. */
  companions?: readonly string[];
  /**
   * What `openLedger` does about damage: `refuse`, or `repair`: restore it if every record is found whole somewhere, else seal the epoch
   * and begin a new one. Either way it is recorded as the next entry, and `repaired` tells.
   */
  onDamage?: 'refuse' | 'repair';
}

export interface DurableBatch {
  firstSeq: number;
  records: readonly RecordDraft[];
  /** SHA-256, hex, of each. */
  hashes: readonly string[];
}

/** The writer of a folder; there is one at a time. */
export interface Ledger {
  /** The newest durable record; seq 0 and a hash of zeros when there is none. */
  readonly last: Appended;
  /** What was cut off at open because its write never finished; the cut is itself a record (`kind` recovery). */
  readonly recovered: { truncatedBytes: number; segment: string } | null;
  /** What `onDamage: 'repair'` found and did at open. */
  readonly repaired: Repair | null;
  /** The epoch that is written now. */
  readonly epoch: Epoch;
  /** Records of sealed epochs that no reader gets. */
  readonly missing: readonly SeqRange[];
  readonly mirror: MirrorState | null;
  /**
   * Resolves when the record is durable. The order of calls is the order of records.
   * @throws GraceError `STORAGE_FULL` or `STORAGE_FAILED`: the record does not count; a later append may work again.
   *   `CONFLICT`: too much is waiting. `TOO_LARGE`: more than 16 MiB. `LEDGER_CLOSED`
   */
  append(payload: Uint8Array | string): Promise<Appended>;
  /**
   * Durable records `from`, `from + 1`, ..., at most `limit`, read from disk; those in `missing` are not there.
   * @throws GraceError `LEDGER_CORRUPT`, `STORAGE_FAILED`
   */
  read(from: number, limit: number): AsyncIterable<LedgerRecord>;
  /** Whether the files are what was written here: cheap enough for every second. Empty: nothing is seen. See `Lookout` for what it cannot see. */
  look(): Promise<LedgerProblem[]>;
  /**
   * Verifies, restores or seals, while appends wait. `onEpoch` is called after an epoch was sealed and before appends go on.
   * @throws GraceError `CONFLICT` while another repair runs, or when the ledger is written through; `STORAGE_FULL`, `STORAGE_FAILED`:
   *   appends are refused until the folder could be brought into order
   */
  repair(order: RepairOrder & { onEpoch?: (epoch: Epoch) => Promise<void> }): Promise<Repair>;
  /** Writes what waits, now; rejects with the first failure among what was appended before. */
  flush(): Promise<void>;
  /** Writes what waits, refuses what comes, gives the folder free. */
  close(): Promise<void>;
}
