import type { ErrorCode, MessageKind, Priority, SubscriptionPolicy, WireError } from '@grace/contracts';
import { PRIORITIES } from '@grace/contracts';
import type { Lane } from './lanes.ts';
import type { Ranges } from './ranges.ts';

/**
 * What travels between a client and the broker, the same on every wire. Frames are arrays by position: many messages share one frame, and
 * names of fields would cost more than the fields.
 */
export const BUS_PROTOCOL = 1;

/** Most messages and bytes one frame carries: also the longest time control traffic waits behind anything else. */
export const BATCH_MESSAGES = 256;
export const BATCH_BYTES = 256 * 1024;

/** Client to broker. Its twin is broker/connection.ts. */
export type ClientFrame =
  /** First on every wire. The windows are what the client takes unacknowledged, per subscription. The token only on sockets. */
  | [t: 'hello', protocol: number, creditMessages: number, creditBytes: number, token: string | null]
  | [t: 'subscribe', sub: number, pattern: string, queue: string | null, policy: SubscriptionPolicy | null]
  | [t: 'unsubscribe', sub: number]
  | ClientBatch;

/**
 * Messages with consecutive numbers from `first`; heads have `MESSAGE_FIELDS` entries a message; `handled` and `rejected` acknowledge
 * deliveries; replies have `REPLY_FIELDS` entries: delivery, 1 or 0 for a failure, packed payload or packed `WireError`.
 */
export type ClientBatch = [
  t: 'batch',
  first: number,
  heads: unknown[],
  payloads: unknown[] | Uint8Array,
  handled: Ranges,
  rejected: Ranges,
  replies: unknown[],
];

/** Broker to client. Its twin is client/client.ts. */
export type BrokerFrame =
  /** The windows are what the broker takes undecided, per priority. */
  | [t: 'welcome', protocol: number, creditMessages: number, creditBytes: number, maxPayloadBytes: number]
  /** Answers a subscribe, and tells later when the right to it is gone. */
  | [t: 'subscribed', sub: number, error: WireError | null]
  /** The wire is not accepted; it closes. */
  | [t: 'refused', error: WireError]
  | BrokerBatch;

/**
 * Decisions on messages: ranges accepted; refused as `REFUSAL_FIELDS` entries (from, to, code, words or null). Deliveries with
 * consecutive numbers from `first`, `DELIVERY_FIELDS` entries each. Replies: number of the request, 1 or 0, packed payload or `WireError`.
 */
export type BrokerBatch = [
  t: 'batch',
  accepted: Ranges,
  refused: (number | ErrorCode | string | null)[],
  first: number,
  heads: unknown[],
  payloads: unknown[] | Uint8Array,
  replies: unknown[],
];

/** subject, flags, id, deadlineMono, extra */
export const MESSAGE_FIELDS = 5;
/** subscription, subject, flags, id, from, at, deadlineMono or 0, extra */
export const DELIVERY_FIELDS = 8;
export const REFUSAL_FIELDS = 4;
export const REPLY_FIELDS = 3;

/** What few messages have: schema, correlation, causation. Null when all are at their defaults. */
export type Extra = [schema: number, correlation: string | null, causation: string | null] | null;

/** Flags: the lane in the two lowest bits. */
export const LANE_BITS = 3;
export const REQUEST_BIT = 4;
/** The id was given by the sender or was sent before: the broker looks whether it has it already. */
export const SEEN_BIT = 8;

export const laneOf = (flags: number): Lane => (flags & LANE_BITS) as Lane;
export const priorityOf = (flags: number): Priority => PRIORITIES[flags & LANE_BITS]!;
export const kindOf = (flags: number): MessageKind => ((flags & REQUEST_BIT) !== 0 ? 'request' : 'event');
