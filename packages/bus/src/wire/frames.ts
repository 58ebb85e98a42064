import type { MessageKind, Priority, SubscriptionPolicy, WireError } from '@grace/contracts';
import { PRIORITIES } from '@grace/contracts';
import type { Lane } from './lanes.ts';

/**
 * What travels between a client and the broker, the same on every wire. Frames are arrays by position: many messages share one frame, and
 * names of fields would cost more than the fields.
 */
export const BUS_PROTOCOL = 1;

/** Most messages and bytes one frame carries: also the longest time control traffic waits behind anything else. */
export const BATCH_MESSAGES = 256;
export const BATCH_BYTES = 256 * 1024;

/** Client to broker. Its twin is broker/reception.ts. */
export type ClientFrame =
  /** First on every wire. The windows are what the client takes unacknowledged, per subscription. The token only on sockets. */
  | [t: 'hello', protocol: number, creditMessages: number, creditBytes: number, token: string | null]
  | [t: 'subscribe', sub: number, pattern: string, queue: string | null, policy: SubscriptionPolicy | null]
  | [t: 'unsubscribe', sub: number]
  | Batch;

/** Broker to client. Its twin is client/session.ts. */
export type BrokerFrame =
  /** The windows are what the broker takes undecided, per priority. */
  | [t: 'welcome', protocol: number, creditMessages: number, creditBytes: number, maxPayloadBytes: number]
  /** Answers a subscribe, and tells later when the right to it is gone. */
  | [t: 'subscribed', sub: number, error: WireError | null]
  /** The wire is not accepted; it closes. */
  | [t: 'refused', error: WireError]
  | Batch;

/**
 * Both directions, one flat array: `BATCH_HEAD` entries (t, first, count, and how many entries the three lists after the messages have), then
 * `count` messages numbered from `first`, then the lists.
 *
 * | to | a message is | list 1 | list 2 | list 3 |
 * |---|---|---|---|---|
 * | broker | `MESSAGE_FIELDS`: subject, flags, id, deadlineMono, extra, payload | ranges of deliveries handled | ranges rejected | replies: delivery, ok, payload |
 * | client | `DELIVERY_FIELDS`: subscription, subject, flags, id, from, at, deadlineMono or 0, extra, payload | ranges of messages accepted | `REFUSAL_FIELDS`: from, to, code, words or null | replies: message, ok, payload |
 *
 * A subject, `from` or `at` that is null is that of the message before in the frame. Payloads are packed (wire/payload.ts); that of a reply
 * with ok = 0 is a packed `WireError`.
 */
export type Batch = [
  t: 'batch',
  first: number,
  count: number,
  list1: number,
  list2: number,
  list3: number,
  ...entries: unknown[],
];

export const BATCH_HEAD = 6;
export const MESSAGE_FIELDS = 6;
export const DELIVERY_FIELDS = 9;
export const REFUSAL_FIELDS = 4;
export const REPLY_FIELDS = 3;

/** Where the lists of a batch begin and end. */
export function listsOf(frame: Batch, fields: number): { list1: number; list2: number; list3: number; end: number } {
  const list1 = BATCH_HEAD + frame[2] * fields;
  const list2 = list1 + frame[3];
  const list3 = list2 + frame[4];
  return { list1, list2, list3, end: list3 + frame[5] };
}

/** The lane of the most urgent message: batches are built most urgent first. */
export const firstLane = (frame: Batch, flagsAt: number): Lane => laneOf(frame[BATCH_HEAD + flagsAt] as number);

/** Position of the flags in a message and in a delivery. */
export const MESSAGE_FLAGS = 1;
export const DELIVERY_FLAGS = 2;

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
