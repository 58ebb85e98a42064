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
}

export interface BusStatistics extends BusTotals {
  muted: MutedPrincipal[];
  clients: { principal: string; wire: 'port' | 'socket'; incarnation: number }[];
  /** Per first token of the subject. */
  families: Record<string, BusTotals>;
  principals: Record<string, { published: number; denied: number }>;
}
