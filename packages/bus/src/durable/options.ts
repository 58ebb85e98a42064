/** What the durable part of a broker is told; see docs/bus.md. */
export interface DurableOptions {
  /** Folder of the file; exists. */
  dir: string;
  /** Entry of the storage thread; default: beside this source. */
  thread?: URL;
  /** Patterns; default `task.>`, `incident.>`, `audit.>`. */
  subjects?: readonly string[];
  /** How long a message waits for a first consumer, and a consumer for a member; default 24 h. */
  retentionMs?: number;
  /** How long an id is remembered; default 2 min. */
  duplicateWindowMs?: number;
  /** Defaults of consumers that say nothing themselves: 30 s; 1 s, 5 s, 30 s; 5. */
  ackWaitMs?: number;
  backoffMs?: readonly number[];
  maxAttempts?: number;
  /** What may wait for one consumer, and for none: 1,000,000 messages, 512 MiB of payloads. */
  maxMessages?: number;
  maxBytes?: number;
  /** The file as a whole; default 2 GiB. */
  maxFileBytes?: number;
}

/** The same with everything said. */
export type DurableSettings = Required<Omit<DurableOptions, 'thread'>> & { thread: URL };

/** Dead letters that are kept; beyond, the oldest go. */
export const LETTERS_MAX = 100_000;

export function withDefaults(options: DurableOptions): DurableSettings {
  return {
    dir: options.dir,
    thread: options.thread ?? new URL('./storage/thread.ts', import.meta.url),
    subjects: options.subjects ?? ['task.>', 'incident.>', 'audit.>'],
    retentionMs: options.retentionMs ?? 24 * 3_600_000,
    duplicateWindowMs: options.duplicateWindowMs ?? 120_000,
    ackWaitMs: options.ackWaitMs ?? 30_000,
    backoffMs: options.backoffMs ?? [1000, 5000, 30_000],
    maxAttempts: options.maxAttempts ?? 5,
    maxMessages: options.maxMessages ?? 1_000_000,
    maxBytes: options.maxBytes ?? 512 * 1024 ** 2,
    maxFileBytes: options.maxFileBytes ?? 2 * 1024 ** 3,
  };
}
