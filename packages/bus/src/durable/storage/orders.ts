import type { WireError } from '@grace/contracts';

/**
 * What the broker asks of the storage thread, and its answers; each names the order it answers, and answers come in the order of the orders.
 * Every order that changes something may be carried out twice with the same result: when the thread died nobody knows whether its last
 * orders were, so its successor gets them again.
 */
export type StorageOrder =
  /** One group of changes that are on disk together or not at all. */
  | { t: 'write'; order: number; writes: Write[] }
  /** Keeps a new consumer, and gives it the blocks of unclaimed subjects that its pattern matches. */
  | { t: 'claim'; order: number; consumer: number; description: string; pattern: string; nowMs: number }
  /** Removes a consumer and what waits for it. */
  | { t: 'forget'; order: number; consumer: number }
  /** The blocks from this place on, as many as are a good page; at most `blocks`. `isSent`: they are as good as sent, which is kept too. */
  | { t: 'page'; order: number; line: number; from: number; blocks: number; isSent: boolean }
  /** Names blocks that are over, and lets go of old ids and letters. */
  | { t: 'sweep'; order: number; nowMs: number; unclaimedBeforeMs: number; idsBeforeMs: number; lettersMax: number }
  | { t: 'letters'; order: number; query: LetterQuery }
  | { t: 'purge'; order: number; ids: number[] }
  | { t: 'close'; order: number };

/** A change. Numbers of lines, places and letters are the broker's. */
export type Write =
  /** Messages of neighbouring places of one line, see block.ts. `subject` only for those nobody claimed: all of the block have it. */
  | [
      t: 'block',
      line: number,
      first: number,
      count: number,
      atMs: number,
      expiresMs: number | null,
      subject: string | null,
      sums: string,
      body: Uint8Array,
    ]
  /** Everything in the block is settled. */
  | [t: 'drop', line: number, first: number]
  /** Part of it is: a bit for each place, what is left by family, attempts that failed. */
  | [
      t: 'mark',
      line: number,
      first: number,
      done: Uint8Array,
      sums: string,
      failures: string | null,
      expiresMs: number | null,
    ]
  /** Everything up to this place may have been sent. */
  | [t: 'sent', line: number, place: number]
  /** Ids that were accepted. */
  | [t: 'ids', number: number, atMs: number, ids: string]
  | [t: 'consumer', number: number, description: string]
  | [t: 'letter', ...LetterRow]
  | [t: 'unletter', id: number];

export type LetterRow = [
  id: number,
  consumer: string,
  subject: string,
  diedMs: number,
  attempts: number,
  reason: string,
  error: string | null,
  bytes: number,
  body: Uint8Array,
];

export interface LetterQuery {
  /** Only this letter. */
  id?: number;
  /** Pattern. */
  subject?: string;
  consumer?: string;
  /** Letters with a greater id. */
  after: number;
  limit: number;
}

export type StorageReply =
  | { t: 'opened'; load: Load }
  | { t: 'failed'; error: WireError }
  | { t: 'done'; order: number; value: unknown; fileBytes: number; commitMs: number }
  | { t: 'refused'; order: number; error: WireError };

/** What the file holds, without the messages. */
export interface Load {
  consumers: [number: number, description: string][];
  lines: LineLoad[];
  ids: [atMs: number, ids: string][];
  nextIds: number;
  letters: number;
  nextLetter: number;
  fileBytes: number;
}

export interface LineLoad {
  line: number;
  /** The first place that was never used. */
  next: number;
  sums: [family: string, count: number, bytes: number][];
  oldestMs: number | null;
  /** Everything up to this place may have been sent. */
  sent: number;
}

export interface Page {
  rows: PageRow[];
  /** Nothing comes after these. */
  end: boolean;
}

export interface PageRow {
  first: number;
  count: number;
  atMs: number;
  body: Uint8Array;
  done: Uint8Array | null;
  failures: string | null;
}

export interface Swept {
  /** Blocks that nobody claimed in time, and what is in them. The broker drops them: it keeps the accounts. */
  unclaimed: [line: number, first: number, sums: LineLoad['sums']][];
  /** Blocks with something whose lifetime is over. */
  late: [line: number, first: number][];
  /** Dead letters that are kept. */
  letters: number;
}

export interface ClaimResult {
  lines: LineLoad[];
  unclaimed: LineLoad[];
}

/** Lines of one consumer: one for each priority. Those of consumer 0 are what nobody claimed. */
export const LINES_PER_CONSUMER = 3;
