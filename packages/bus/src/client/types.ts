import type { Envelope, GraceError, Priority, SubscriptionPolicy } from '@grace/contracts';

/** The bus as every kernel and every outside client sees it. Nobody knows the wire under it. */
export interface BusClient {
  /** Whether a broker is connected at this moment; publishes made while it is not wait in a bounded outbox. */
  readonly connected: boolean;
  /**
   * Resolves when the broker has accepted the message.
   * @throws GraceError `BUS_DENIED`, `BUS_MUTED`, `BUS_OVERLOADED`, `BUS_DEADLINE`, `BUS_TOO_LARGE`, `BUS_CLOSED`, `BUS_BAD_SUBJECT`
   */
  publish(subject: string, payload: unknown, options?: PublishOptions): Promise<{ id: string }>;
  /**
   * Resolves when the broker knows the subscription. It is made again by itself after a reconnection.
   * @throws GraceError `BUS_DENIED`, `BUS_DEADLINE`, `BUS_CLOSED`, `BUS_BAD_SUBJECT`
   */
  subscribe(pattern: string, handler: MessageHandler, options?: SubscribeOptions): Promise<Subscription>;
  /**
   * Asks, and resolves with the payload of the first answer.
   * @throws GraceError as `publish`, and `BUS_NO_RESPONDERS`, or the code of the error the responder answered with
   */
  request(subject: string, payload: unknown, options?: RequestOptions): Promise<unknown>;
  /** Rejects everything that waits with `BUS_CLOSED`, ends the wire. */
  close(): Promise<void>;
  counters(): BusClientCounters;
}

export interface PublishOptions {
  priority?: Priority;
  /** How long to wait for acceptance; default 5000 ms. */
  deadlineMs?: number;
  correlation?: string;
  causation?: string;
  /** Given ids make a resend recognisable; default a fresh one. */
  id?: string;
  schema?: number;
  /** Within a queue group, messages of one key go to the same member while it lives; at most 256 characters. */
  key?: string;
  /** Nobody needs it afterwards: what is not delivered by then is counted expired. Default: it has no end. */
  lifetimeMs?: number;
  /**
   * Buffers given away with the payload: empty for the sender from the call on, whatever the answer. A payload that is one of them, whole, is
   * moved and not copied where both wires are ports and one subscriber gets it. A wire that breaks before the answer takes it along:
   * `BUS_CLOSED`, and it is not sent again.
   */
  transfer?: readonly ArrayBuffer[];
}

export interface RequestOptions extends PublishOptions {}

export interface SubscribeOptions {
  /** Members of one group share the messages: each goes to one of them. */
  queue?: string;
  /** What happens when this subscriber is too slow; default `back-pressure`. */
  policy?: SubscriptionPolicy;
  /** `manual`: the handler says `ack` or `nak`, and that it resolves says nothing; that it throws is still a `nak`. Default `auto`. */
  ack?: 'auto' | 'manual';
  /** How messages on durable subjects are served; `false`: copies without a promise, as `drop-oldest` gets them. */
  durable?: DurableSubscription | false;
  /** The right to it was taken away, or not given again after a reconnection: nothing comes any more. */
  onEnd?: (error: GraceError) => void;
  deadlineMs?: number;
}

/** What is not said is the broker's default, see docs/bus.md. The latest subscription of a consumer decides. */
export interface DurableSubscription {
  /** Name of the consumer, beside the principal or the queue; default: the pattern. */
  name?: string;
  /** An attempt that is not acknowledged for so long has failed. */
  ackWaitMs?: number;
  /** Pauses before the second attempt, the third, ...; the last is repeated. */
  backoffMs?: readonly number[];
  /** After so many failed attempts it is a dead letter. */
  maxAttempts?: number;
  /** Of one key, or without a key of one publisher and subject, the next is sent when the one before is settled. */
  ordered?: boolean;
}

export interface Message extends Envelope {
  /** It is kept until it is acknowledged. */
  readonly durable: boolean;
  /** From 1; more than 1 whenever it may have been delivered before. */
  readonly attempt: number;
  /** It is handled. The first of `ack` and `nak` counts. */
  ack(): void;
  /** The attempt failed; the next follows after `delayMs`, or at the pace of the consumer. What is not durable is rejected. */
  nak(options?: { delayMs?: number }): void;
  /** It takes longer: the time to acknowledge begins anew. */
  inProgress(): void;
  /**
   * Resolves when the acknowledgement of this delivery is on disk; to be called before it is given.
   * @throws GraceError `BUS_CLOSED` when the wire breaks before, `NOT_FOUND` when there will be none: it is not durable, or dead
   */
  confirmed(): Promise<void>;
  /** Answers a request. Nothing happens for events. An Error travels with its code. */
  reply(payload: unknown): void;
  fail(error: unknown): void;
}

/** Its promise is the acknowledgement: the broker counts the message handled when it resolves, rejected when it rejects. */
export type MessageHandler = (message: Message) => void | Promise<void>;

export interface Subscription {
  readonly pattern: string;
  unsubscribe(): Promise<void>;
}

export interface BusClientCounters {
  published: number;
  accepted: number;
  refused: number;
  /** Of the refused: too many, for its own rate, its window or its outbox, or for those who listen (`BUS_OVERLOADED`). */
  overloaded: number;
  received: number;
  dropped: number;
  reconnects: number;
  resent: number;
  outbox: number;
}

/** The owner's side of a client: the runtime of a kernel, an outside process. */
export interface BusConnection extends BusClient {
  /** Uses this port from now on; an earlier wire is ended, and what was not accepted on it is sent again. */
  attach(port: import('node:worker_threads').MessagePort): void;
  /** Dials the broker's socket, and dials again with back-off whenever the wire breaks. */
  dial(path: string, token: string): void;
}
