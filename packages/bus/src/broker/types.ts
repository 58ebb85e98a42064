import type { MessagePort } from 'node:worker_threads';
import type {
  AclDocument,
  BusIdentity,
  BusStatistics,
  BusTotals,
  Clock,
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetterSelection,
  DurableConsumerStatus,
} from '@grace/contracts';
import type { DurableOptions } from '../durable/options.ts';

export interface BrokerOptions {
  acl: AclDocument;
  mute: MuteOptions;
  maxPayloadBytes: number;
  /** Mutes and permits of a broker that ended, see `Broker.kept`. */
  kept?: KeptAccess;
  /** Keeps what is published on durable subjects; without it the broker keeps nothing. */
  durable?: DurableOptions;
  clock?: Clock;
  onEvent?: (event: BrokerEvent) => void;
}

export interface MuteOptions {
  /** False switches the safeguard off: denied messages are still refused, nobody is muted. */
  enabled: boolean;
  /** Denied messages within `windowMs` that mute a principal. */
  threshold: number;
  windowMs: number;
  /** First period; doubles with each further mute up to the maximum, and is forgiven after a quiet time. */
  periodMs: number;
  periodMaxMs: number;
}

export type BrokerEvent =
  /** The first denial, and from then on at most one a second per principal, with the count since the last. */
  | { type: 'denied'; principal: string; subject: string; count: number; sinceMs: number }
  /** `by`: who ordered it; absent: the broker itself. A mute that outlived a broker is told again by its successor. */
  | { type: 'muted'; principal: string; periodMs: number; denied: number; level: number; by?: string }
  | { type: 'unmuted'; principal: string; by?: string }
  | { type: 'permitted'; permit: BusPermit; by: string | undefined }
  /** `by` absent: its time was over. */
  | { type: 'revoked'; permit: BusPermit; by: string | undefined }
  /** A family does not add up, see conservation.ts. */
  | ({ type: 'unbalanced'; family: string; difference: number } & BusTotals)
  | { type: 'balanced'; family: string; unbalanced: number }
  /** Durable messages failed their last attempt; at most one event a second, `count` says how many since the last. */
  | { type: 'dead-letter'; subject: string; consumer: string; attempts: number; reason: string; count: number }
  /** The storage thread of the durable part ended, or is back. */
  | { type: 'storage'; state: 'lost' | 'open'; words: string }
  | { type: 'connected'; principal: string; incarnation: number; wire: 'port' | 'socket' }
  | { type: 'disconnected'; principal: string; incarnation: number };

export interface BusPermit {
  id: string;
  principal: string;
  publish: readonly string[];
  subscribe: readonly string[];
  /** Monotonic ms. */
  untilMono: number;
}

/** What must outlive the broker. Instants are monotonic ms of the machine. */
export interface KeptAccess {
  mutes: readonly KeptMute[];
  permits: readonly BusPermit[];
}

export interface KeptMute {
  principal: string;
  level: number;
  /** 0: not muted, but its level is not forgiven. */
  untilMono: number;
  lastDeniedMono: number;
  denied: number;
  lastSubject: string;
}

export interface Broker {
  /** Wires a client by a MessagePort; the identity is that of the wire. */
  attach(port: MessagePort, identity: BusIdentity): void;
  /** Listens on a Unix socket (mode 0600); who dials must present a token signed with `key`. */
  listen(path: string, key: Uint8Array): Promise<void>;
  statistics(): BusStatistics;
  mute(principal: string, periodMs: number, by?: string): void;
  unmute(principal: string, by?: string): boolean;
  permit(permit: Omit<BusPermit, 'id'>, by?: string): BusPermit;
  revoke(id: string, by?: string): boolean;
  permits(): BusPermit[];
  kept(): KeptAccess;
  /**
   * Replaces the access rules between two tasks, whole or not at all. Subscriptions that lost their right end with `BUS_DENIED`; how many
   * is returned.
   * @throws GraceError `CONFIG_INVALID` naming the rule that is no pattern; the old rules stay
   */
  setAcl(acl: AclDocument): number;
  /** Resolves when what the broker before has kept is known; before that, durable publishes and subscriptions wait. */
  open(): Promise<void>;
  consumers(): DurableConsumerStatus[];
  /**
   * Removes a durable consumer that has no member, and what waits for it; how many messages that were is returned.
   * @throws GraceError `NOT_FOUND`, `CONFLICT`
   */
  forget(consumer: string): Promise<number>;
  /** @throws GraceError `BUS_BAD_SUBJECT`, `STORAGE_FAILED` */
  deadLetters(query: DeadLetterQuery): Promise<DeadLetterPage>;
  /**
   * Gives dead letters back to their consumers as new messages; how many is returned.
   * @throws GraceError `NOT_FOUND` when the named one is not there; `BUS_BAD_SUBJECT`, `STORAGE_FULL`, `STORAGE_FAILED`
   */
  replay(selection: DeadLetterSelection): Promise<number>;
  /** @throws GraceError as `replay` */
  purge(selection: DeadLetterSelection): Promise<number>;
  /** Ends all wires and the listener; nothing is left behind. */
  close(): Promise<void>;
}
