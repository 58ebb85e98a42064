import type { BusTotals } from '@grace/contracts';
import type { Extra } from '../wire/frames.ts';
import type { Connection } from './connection.ts';
import type { BrokerSubscription } from './subscription.ts';

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
  readonly asker: Connection;
  /** The asker's number of the request. */
  readonly number: number;
  readonly deadlineMono: number;
  /** Responders who may still answer. */
  open: number;
  done: boolean;
}

/** One message for one subscriber. */
export interface Delivery {
  readonly message: RoutedMessage;
  readonly subscription: BrokerSubscription;
  /** When it was sent, monotonic ms. */
  sentMono: number;
}
