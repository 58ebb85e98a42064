import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Broker, type BrokerEvent, type BrokerOptions, createBroker } from '@grace/bus/broker';
import { type BusClientOptions, type BusConnection, createBusClient } from '@grace/bus/client';
import type { AclDocument, AclRules, BusIdentity, BusStatistics } from '@grace/contracts';
import { signBusToken } from '@grace/control';
import { poll } from '@grace/testkit';

export const WIRES = ['port', 'socket'] as const;
export type WireKind = (typeof WIRES)[number];

export const KEY = Buffer.alloc(32, 7);
export const MUTE = { enabled: true, threshold: 200, windowMs: 1000, periodMs: 2000, periodMaxMs: 60_000 };

export const rules = (publish: string[], subscribe: string[], denied: Partial<AclDenied> = {}): AclRules => ({
  publish: { allow: publish, deny: denied.publish ?? [] },
  subscribe: { allow: subscribe, deny: denied.subscribe ?? [] },
});

interface AclDenied {
  publish: string[];
  subscribe: string[];
}

export const OPEN: AclDocument = { kernels: rules(['>'], ['>']), principals: {} };

export interface Bed {
  readonly broker: Broker;
  readonly events: BrokerEvent[];
  readonly socket: string;
  readonly home: string;
  /** A connected client; `wire` is how. Kernel principals unless said otherwise. */
  connect(wire: WireKind, principal: string, options?: ClientOptions): Promise<BusConnection>;
  /** The bare end of a port wire, for peers that do not keep to the protocol. */
  raw(principal: string, identity?: Partial<BusIdentity>): MessagePort;
  close(): Promise<void>;
}

export interface ClientOptions extends BusClientOptions {
  identity?: Partial<BusIdentity>;
}

export async function createBed(options: Partial<BrokerOptions> = {}): Promise<Bed> {
  const events: BrokerEvent[] = [];
  const broker = createBroker({
    acl: OPEN,
    mute: MUTE,
    maxPayloadBytes: 1e6,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const home = mkdtempSync(join(tmpdir(), 'grace-bus-'));
  const socket = join(home, 'bus.sock');
  await broker.listen(socket, KEY);
  const clients: BusConnection[] = [];
  const ports: MessagePort[] = [];
  return {
    broker,
    events,
    socket,
    home,
    async connect(wire, principal, { identity: given, ...clientOptions } = {}) {
      const client = createBusClient(clientOptions);
      clients.push(client);
      if (wire === 'port') {
        const { port1, port2 } = new MessageChannel();
        broker.attach(port1, identity(principal, given));
        client.attach(port2);
      } else {
        client.dial(socket, signBusToken(identity(principal, given), KEY));
      }
      await poll('the client is connected', () => client.connected, { everyMs: 2 });
      return client;
    },
    raw(principal, given) {
      const { port1, port2 } = new MessageChannel();
      broker.attach(port1, identity(principal, given));
      ports.push(port2);
      return port2;
    },
    async close() {
      for (const client of clients) await client.close();
      for (const port of ports) port.close();
      await broker.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export function identity(principal: string, given: Partial<BusIdentity> = {}): BusIdentity {
  return { principal, incarnation: 1, messagesPerSecond: 1e6, kernel: true, ...given };
}

export function isBalanced({ accepted, handled, rejected, expired, deadLettered, waiting }: BusTotalsLike): boolean {
  return accepted === handled + rejected + expired + deadLettered + waiting;
}

type BusTotalsLike = Pick<BusStatistics, 'accepted' | 'handled' | 'rejected' | 'expired' | 'deadLettered' | 'waiting'>;

/** The code a promise is rejected with; `accepted` when it is not. */
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'accepted',
    (error: { code?: string }) => error.code ?? String(error),
  );

/** Counts equal words. */
export function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
