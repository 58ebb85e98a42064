import type { Envelope, Priority, SubscriptionPolicy } from '@grace/contracts';

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
}

export interface RequestOptions extends PublishOptions {}

export interface SubscribeOptions {
  /** Members of one group share the messages: each goes to one of them. */
  queue?: string;
  /** What happens when this subscriber is too slow; default `back-pressure`. */
  policy?: SubscriptionPolicy;
  deadlineMs?: number;
}

export interface Message extends Envelope {
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
