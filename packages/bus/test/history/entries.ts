/**
 * What the participants of a run write down, one JSON line each, in the order in which it happened to them. `t` is CLOCK_MONOTONIC in µs,
 * one clock for all processes of a machine; `w` is wall time in ms.
 *
 * The order of writing and doing is the meaning of a line: `invoke` is written before the publish is called, `deliver` before the handler
 * works, `handled` and `nak` before the broker can hear of it, everything else after it is known.
 */
export type Written =
  | { e: 'begin'; pid: number; plan: string }
  /** A publish is called. `key` names the message whatever becomes of it; `again`: the same id was published before. */
  | { e: 'invoke'; key: string; s: string; n: number; durable: boolean; again: boolean }
  | { e: 'ok'; key: string }
  | { e: 'fail'; key: string; code: string }
  /** The broker has confirmed the subscription. */
  | { e: 'subscribed'; c: string; pattern: string; kind: ConsumerKind; member: string }
  | ({ e: 'deliver'; s: string; n: number; from: string } & Handling)
  | ({ e: 'handled' } & Handling)
  | ({ e: 'nak' } & Handling)
  /** The broker has said that the acknowledgement of this delivery is committed. */
  | ({ e: 'confirmed' } & Handling)
  /** Still connected by this wire. */
  | { e: 'beat'; wire: number }
  /** Asked to be quiet: nothing is published any more, and every publish is answered. */
  | { e: 'quiet'; published: number };

/** One delivery as its subscriber sees it. */
export interface Handling {
  key: string;
  c: string;
  /** The broker's count of deliveries of this message to this consumer, from 1. */
  a: number;
  /** On which of the subscriber's wires it came; each reconnection is another. */
  wire: number;
}

/**
 * `durable` is kept by the broker by its name; the others end with their wire. A `group` shares its messages among its members. To an
 * `ordered` one the next of a publisher and subject comes when the one before is settled.
 */
export type ConsumerKind = 'durable' | 'durable-ordered' | 'durable-group' | 'plain' | 'plain-group';

export const isDurable = (kind: ConsumerKind): boolean => kind.startsWith('durable');

/** What the run itself writes: what it did to the system, and what the broker says at the end. */
export type Done =
  | { e: 'seed'; seed: number; kinds: string[]; schedule: string[] }
  /** About to do it. */
  | { e: 'strike'; strike: number; kind: string; target: string }
  /** Its effect was seen from outside: the process is gone, or another incarnation runs. */
  | { e: 'bit'; strike: number; evidence: string }
  | { e: 'missed'; strike: number; why: string }
  /** Nothing is done any more, and everybody is back. */
  | { e: 'calm' }
  /** What the broker says of itself, now and then and at the end. */
  | { e: 'account'; last: boolean; account: Account }
  /** A dead letter, as the broker lists it at the end. */
  | { e: 'dead'; c: string; key: string; attempts: number; reason: string };

/** The broker's own account: deliveries, as docs/bus.md counts them. */
export interface Account {
  total: Totals;
  families: Record<string, Totals>;
  /** Dead letters on disk. */
  dead: number;
}

export interface Totals {
  accepted: number;
  handled: number;
  rejected: number;
  expired: number;
  deadLettered: number;
  waiting: number;
}

/** A line with where it stood. `who` is the participant, or `run`; `life` counts its incarnations. */
export type Entry = (Written | Done) & { t: number; w: number; who: string; life: number; line: number };

export type EntryOf<E extends Entry['e']> = Extract<Entry, { e: E }>;
