/** Messages on the bus: see docs/bus.md. */
export const PRIORITIES = ['control', 'normal', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

export type MessageKind = 'event' | 'request' | 'reply';

export interface Envelope {
  /** Unique, given by the publishing client. */
  id: string;
  subject: string;
  /** The principal, set by the broker from the wire on which the message came in; never taken from the sender. */
  from: string;
  /** Wall time at the broker, ms. */
  at: number;
  kind: MessageKind;
  priority: Priority;
  /** One id from cause to effect through the whole system. */
  correlation?: string;
  /** Id of the message that led to this one. */
  causation?: string;
  /** Instant of the machine's monotonic clock, ms, after which nobody waits any more. */
  deadlineMono?: number;
  /** Version of the payload's shape. */
  schema: number;
  payload: unknown;
  /** Where an answer goes; only requests carry one. */
  replyTo?: string;
}

/** Per principal: what it may publish and subscribe. Deny wins; no rule means denied. `{self}` stands for the principal. */
export interface AclRules {
  publish: { allow: readonly string[]; deny: readonly string[] };
  subscribe: { allow: readonly string[]; deny: readonly string[] };
}

export interface AclDocument {
  /** Rules that every kernel has beside its own. */
  kernels: AclRules;
  principals: Readonly<Record<string, AclRules>>;
}

export type SubscriptionPolicy = 'back-pressure' | 'drop-oldest';

/** Conservation: accepted = handled + rejected + expired + deadLettered + waiting. */
export interface BusTotals {
  accepted: number;
  handled: number;
  rejected: number;
  expired: number;
  deadLettered: number;
  waiting: number;
  /** Refused at the door: never accepted. */
  denied: number;
}

export interface MutedPrincipal {
  principal: string;
  /** Monotonic ms. */
  untilMono: number;
  denied: number;
  /** Mutes so far that are not forgiven: each doubles the next period. */
  level: number;
}

/** What somebody was denied, and what came of it. */
export interface BusViolations {
  principal: string;
  denied: number;
  /** The last subject it was denied, empty when it was muted by hand and never denied anything. */
  lastSubject: string;
  /** Monotonic ms; null: not muted. */
  mutedUntilMono: number | null;
  level: number;
}

/** Upper bounds of the latency histograms, ms: four to a power of two, from 16 us to 67 s. What took longer counts in one bucket more. */
export const LATENCY_BOUNDS_MS: readonly number[] = Array.from(
  { length: 89 },
  (_, i) => (16 * 2 ** Math.floor(i / 4) * (1 + (i % 4) / 4)) / 1000,
);

/** From the moment the broker took a message to the moment its handler's outcome came back, waiting for room and in queues included. */
export interface BusLatency {
  count: number;
  sumMs: number;
  /** Upper bounds of the buckets they lie in: at most 25 % above the true value. Null while nothing was counted. */
  p50Ms: number | null;
  p99Ms: number | null;
  /** Per bound of `LATENCY_BOUNDS_MS`, not cumulated; empty buckets at the end are left out. */
  buckets: number[];
}

/** A family whose account does not add up: messages were lost, or counted twice. */
export interface UnbalancedFamily extends BusTotals {
  family: string;
  /** accepted - (handled + rejected + expired + deadLettered + waiting): above zero is missing, below is too much. */
  difference: number;
}

export interface BusPrincipal {
  published: number;
  denied: number;
  lastSubject: string;
  mutedUntilMono: number | null;
  level: number;
  /** Of what it published. */
  latency: BusLatency;
}

export interface BusStatistics extends BusTotals {
  muted: MutedPrincipal[];
  clients: { principal: string; wire: 'port' | 'socket'; incarnation: number }[];
  /** Per first token of the subject. */
  families: Record<string, BusTotals>;
  principals: Record<string, BusPrincipal>;
  /** Per family of subjects. */
  latency: Record<string, BusLatency>;
  /** Families that did not add up when the broker looked last. */
  unbalanced: UnbalancedFamily[];
  /** What is kept on disk; null where nothing is. */
  durable: DurableStatistics | null;
}

export interface DurableStatistics {
  /** Deliveries on disk that are not settled, unclaimed ones included; part of the `waiting` of their families. */
  waiting: number;
  /** Of these: no consumer matched yet. */
  unclaimed: number;
  /** Dead letters on disk. */
  dead: number;
  /** Sent again, or sent for the first time by this broker after another may have sent them. */
  redelivered: number;
  /** Publishes recognised by their id. */
  duplicates: number;
  /** Publishes refused for a bound, or by the disk. */
  refused: number;
  consumers: DurableConsumerStatus[];
  commits: number;
  /** Of the latest 1024 commits. */
  commitMs: { p50: number; p99: number };
  fileBytes: number;
  /** The thread that writes. */
  storage: 'open' | 'restarting';
  storageRestarts: number;
}

/** Who durable messages wait for; it is there while nobody of it is connected. */
export interface DurableConsumerStatus {
  name: string;
  pattern: string;
  queue: string | null;
  /** Subscriptions at this moment. */
  members: number;
  waiting: number;
  /** Of the waiting: sent, and not settled. */
  unacknowledged: number;
  /** Age of the oldest that waits; null: none waits. */
  oldestMs: number | null;
  /** Payload bytes of the waiting. */
  bytes: number;
}

/** A durable message whose last attempt failed. */
export interface DeadLetter {
  /** Of the letter. */
  id: number;
  messageId: string;
  subject: string;
  from: string;
  /** Wall ms of acceptance. */
  at: number;
  consumer: string;
  attempts: number;
  /** Wall ms. */
  diedAt: number;
  /** Of the last attempt: what its handler said, that it said nothing in time, or that its wire broke. */
  reason: 'rejected' | 'unacknowledged' | 'disconnected';
  error?: string;
  bytes: number;
  payload?: unknown;
}

export interface DeadLetterQuery {
  /** Pattern. */
  subject?: string;
  consumer?: string;
  /** Letters with a greater id; default 0. */
  after?: number;
  /** Default 100. */
  limit?: number;
  /** With payloads; default false. */
  payload?: boolean;
}

export interface DeadLetterPage {
  letters: DeadLetter[];
  /** `after` of the next page; null: this is the last. */
  next: number | null;
  /** Letters there are in all. */
  total: number;
}

/** Which dead letters: those that fit all that is said; nothing said is all of them. */
export interface DeadLetterSelection {
  id?: number;
  /** Pattern. */
  subject?: string;
  consumer?: string;
}
