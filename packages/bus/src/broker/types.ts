import type { MessagePort } from 'node:worker_threads';
import type { AclDocument, BusIdentity, BusStatistics, Clock } from '@grace/contracts';

export interface BrokerOptions {
  acl: AclDocument;
  mute: MuteOptions;
  maxPayloadBytes: number;
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
  | { type: 'muted'; principal: string; periodMs: number; denied: number }
  | { type: 'unmuted'; principal: string }
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

export interface Broker {
  /** Wires a client by a MessagePort; the identity is that of the wire. */
  attach(port: MessagePort, identity: BusIdentity): void;
  /** Listens on a Unix socket (mode 0600); who dials must present a token signed with `key`. */
  listen(path: string, key: Uint8Array): Promise<void>;
  statistics(): BusStatistics;
  mute(principal: string, periodMs: number): void;
  unmute(principal: string): boolean;
  permit(permit: Omit<BusPermit, 'id'>): BusPermit;
  revoke(id: string): boolean;
  permits(): BusPermit[];
  setAcl(acl: AclDocument): void;
  /** Ends all wires and the listener; nothing is left behind. */
  close(): Promise<void>;
}
