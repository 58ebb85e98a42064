import type { ErrorCode } from '@grace/contracts';
import type { Extra } from '../wire/frames.ts';
import type { Account } from './accounts.ts';
import type { Latency } from './latency.ts';

/** An accepted message, shared by all its deliveries. */
export interface RoutedMessage {
  readonly subject: string;
  readonly flags: number;
  readonly id: string;
  readonly from: string;
  /** Wall time of acceptance, ms. */
  at: number;
  readonly deadlineMono: number;
  /** Not delivered after this instant, monotonic ms: the deadline of a request, the end of an event's lifetime. */
  readonly expiresMono: number;
  /** The same for a durable message, wall ms; 0: it has no end. */
  readonly expiresMs: number;
  /** Messages of one key go to the same member of a group. */
  readonly key: string | null;
  /** When the broker took it, monotonic ms; and whose latency it counts for. */
  readonly takenMono: number;
  readonly latency: Latency;
  readonly extra: Extra;
  readonly payload: unknown;
  readonly bytes: number;
  readonly account: Account;
  /** It has one receiver, and nothing of it is kept: its buffer may be moved. */
  sole: boolean;
  readonly ask: Ask | null;
}

/** The asker's claim to one answer. Each responder holds a grant to it; the first answer uses it up. */
export interface Ask {
  readonly asker: Asker;
  /** The asker's number of the request. */
  readonly number: number;
  readonly deadlineMono: number;
  /** Responders who may still answer. */
  open: number;
  done: boolean;
}

/** Who waits for an answer. */
export interface Asker {
  readonly open: boolean;
  /** Own requests that are not answered yet. */
  asking: number;
  reply(number: number, ok: 0 | 1, value: unknown): void;
  fail(number: number, code: ErrorCode, message: string): void;
}
