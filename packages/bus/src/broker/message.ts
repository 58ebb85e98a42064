import type { BusTotals, ErrorCode } from '@grace/contracts';
import type { Extra } from '../wire/frames.ts';

/** An accepted message, shared by all its deliveries. */
export interface RoutedMessage {
  readonly subject: string;
  readonly flags: number;
  readonly id: string;
  readonly from: string;
  /** Wall time of acceptance, ms. */
  at: number;
  readonly deadlineMono: number;
  readonly extra: Extra;
  readonly payload: unknown;
  readonly bytes: number;
  readonly account: BusTotals;
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
