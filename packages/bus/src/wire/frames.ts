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
  | [
      t: 'subscribe',
      sub: number,
      pattern: string,
      queue: string | null,
      policy: SubscriptionPolicy | null,
      durable: DurableWish | false | null,
    ]
  | [t: 'unsubscribe', sub: number]
  /** Attempts that failed, `NAK_FIELDS` each: delivery, pause before the next attempt in ms or null, words or null. */
  | [t: 'nak', ...entries: (number | string | null)[]]
  /** Deliveries that are still being handled. */
  | [t: 'progress', ...deliveries: number[]]
  /** Deliveries of which the client wants to know when their acknowledgement is on disk. */
  | [t: 'confirm', ...deliveries: number[]]
  /** Messages refused at their source while muted: family, count, family, count, ... */
  | [t: 'withheld', ...counts: (string | number)[]]
  | Batch;

/** Broker to client. Its twin is client/session.ts. */
export type BrokerFrame =
  /** The windows are what the broker takes undecided, per priority. */
  | [t: 'welcome', protocol: number, creditMessages: number, creditBytes: number, maxPayloadBytes: number]
  /** Answers a subscribe, and tells later when the right to it is gone. */
  | [t: 'subscribed', sub: number, error: WireError | null]
  /** Answers to `confirm`, in pairs: delivery, and whether its acknowledgement is on disk (1) or will never be (0). */
  | [t: 'settled', ...entries: number[]]
  /** Until when the principal is muted, monotonic ms; 0: not any more. What it publishes until then need not be sent. */
  | [t: 'muted', untilMono: number]
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
export const NAK_FIELDS = 3;

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

/** What few messages have. Null when all are at their defaults. The key is for sticky groups, the lifetime is ms from acceptance. */
export type Extra =
  | [
      schema: number,
      correlation: string | null,
      causation: string | null,
      key?: string | null,
      lifetimeMs?: number | null,
    ]
  | null;

/** How a durable subscription wants to be served; what it does not say is the broker's default. */
export interface DurableWish {
  name?: string;
  ackWaitMs?: number;
  backoffMs?: readonly number[];
  maxAttempts?: number;
  ordered?: boolean;
}

/** Flags: the lane in the two lowest bits. */
export const LANE_BITS = 3;
export const REQUEST_BIT = 4;
/** The id was given by the sender or was sent before: the broker looks whether it has it already. */
export const SEEN_BIT = 8;

/** What a payload is that travels as one whole buffer, see payload-transfer.ts; 0: it travels packed. */
export const FORM_BITS = 0xf00;
export const FORM_SHIFT = 8;
/** In a delivery: its buffer was moved here and is nobody else's. */
export const MOVED_BIT = 0x1000;
/** In a delivery: it is kept until it is acknowledged, and which attempt it is stands in the bits from `ATTEMPT_SHIFT` up. */
export const DURABLE_BIT = 0x2000;
export const ATTEMPT_SHIFT = 16;
export const ATTEMPT_MAX = 0x3fff;

export const laneOf = (flags: number): Lane => (flags & LANE_BITS) as Lane;
export const priorityOf = (flags: number): Priority => PRIORITIES[flags & LANE_BITS]!;
export const kindOf = (flags: number): MessageKind => ((flags & REQUEST_BIT) !== 0 ? 'request' : 'event');
