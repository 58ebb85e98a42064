import type { MessagePort } from 'node:worker_threads';
import {
  type AclDocument,
  type BusIdentity,
  type BusStatistics,
  type BusTotals,
  type Clock,
  GraceError,
  systemClock,
} from '@grace/contracts';
import type { BrokerFrame, ClientFrame } from '../wire/frames.ts';
import { PortWire } from '../wire/port-wire.ts';
import type { Wire, WireHandlers } from '../wire/wire.ts';
import { AccessRules } from './access-rules.ts';
import { Accounts } from './accounts.ts';
import { Connection } from './connection.ts';
import { Door } from './door.ts';
import { Intake } from './intake.ts';
import { Listener } from './listener.ts';
import { Permits } from './permits.ts';
import { Reception } from './reception.ts';
import { Router } from './router.ts';
import { Routes } from './routes.ts';
import { Sweeper } from './sweeper.ts';
import { Turns } from './turns.ts';
import type { Broker, BrokerEvent, BrokerOptions, BusPermit } from './types.ts';

/** One token: it stands in rules and as a token in subjects. */
const PRINCIPAL = /^[^\s.*>]{1,64}$/;

/** @throws GraceError `CONFIG_INVALID` naming the access rule that is no pattern */
export function createBroker(options: BrokerOptions): Broker {
  return new LocalBroker(options);
}

class LocalBroker implements Broker {
  readonly #clock: Clock;
  readonly #emit: (event: BrokerEvent) => void;
  readonly #connections = new Set<Connection>();
  readonly #accounts = new Accounts();
  readonly #routes = new Routes(this.#accounts);
  readonly #permits: Permits;
  readonly #door: Door;
  readonly #router: Router;
  readonly #turns: Turns;
  readonly #sweeper: Sweeper;
  readonly #reception: Reception;
  #rules: AccessRules;
  #listener: Listener | undefined;
  #permitTimers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(options: BrokerOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#emit = options.onEvent ?? (() => {});
    this.#rules = new AccessRules(options.acl);
    this.#permits = new Permits(this.#clock.monoMs);
    this.#door = new Door(options.mute, this.#clock, this.#emit);
    this.#router = new Router(this.#routes, this.#clock.wallMs, (connection) => this.#turns.newsWithAnswer(connection));
    const intake = new Intake(
      {
        door: this.#door,
        permits: this.#permits,
        accounts: this.#accounts,
        routes: this.#routes,
        router: this.#router,
        clock: this.#clock,
      },
      options.maxPayloadBytes,
    );
    this.#turns = new Turns({
      intake: (connection, frame) => {
        intake.take(connection, frame);
        this.#sweeper.watch();
      },
      retry: () => this.#router.retry(),
      isMuted: (connection, nowMono) => this.#door.isMuted(connection.principal, nowMono),
      expired: (delivery) => this.#router.drop(delivery, 'expired'),
      nowMono: this.#clock.monoMs,
    });
    this.#sweeper = new Sweeper(this.#connections, this.#router, this.#turns, this.#clock);
    this.#reception = new Reception({
      routes: this.#routes,
      router: this.#router,
      turns: this.#turns,
      permits: this.#permits,
      maxPayloadBytes: options.maxPayloadBytes,
      greeted: ({ identity, wire }) =>
        this.#emit({
          type: 'connected',
          principal: identity.principal,
          incarnation: identity.incarnation,
          wire: wire.kind,
        }),
    });
  }

  attach(port: MessagePort, identity: BusIdentity): void {
    const wire = new PortWire<ClientFrame, BrokerFrame>(port);
    if (this.#closed) {
      port.close();
      return;
    }
    wire.open(this.#enter(wire, identity));
  }

  async listen(path: string, key: Uint8Array): Promise<void> {
    if (this.#closed) throw new GraceError('BUS_CLOSED', 'the broker is closed');
    if (this.#listener) throw new GraceError('CONFLICT', 'the broker listens already');
    const listener = new Listener(path, key, (wire, identity) => this.#enter(wire, identity));
    this.#listener = listener;
    try {
      await listener.listen();
    } catch (error) {
      this.#listener = undefined;
      throw error;
    }
  }

  statistics(): BusStatistics {
    const { total, families } = this.#accounts.totals(this.#waiting());
    return {
      ...total,
      muted: this.#door.muted(),
      clients: [...this.#connections]
        .filter(({ greeted }) => greeted)
        .map(({ identity, wire }) => ({
          principal: identity.principal,
          wire: wire.kind,
          incarnation: identity.incarnation,
        })),
      families,
      principals: this.#door.counters(),
    };
  }

  mute(principal: string, periodMs: number): void {
    this.#door.mute(principal, periodMs);
  }

  unmute(principal: string): boolean {
    return this.#door.unmute(principal);
  }

  permit(request: Omit<BusPermit, 'id'>): BusPermit {
    const permit = this.#permits.add(request);
    const timer = setTimeout(
      () => this.revoke(permit.id),
      Math.max(0, permit.untilMono - this.#clock.monoMs()),
    ).unref();
    this.#permitTimers.set(permit.id, timer);
    return permit;
  }

  revoke(id: string): boolean {
    clearTimeout(this.#permitTimers.get(id));
    this.#permitTimers.delete(id);
    const permit = this.#permits.remove(id);
    if (permit) this.#reviewSubscriptions();
    return permit !== undefined;
  }

  permits(): BusPermit[] {
    return this.#permits.list();
  }

  setAcl(acl: AclDocument): void {
    this.#rules = new AccessRules(acl);
    for (const connection of this.#connections) {
      connection.access = this.#rules.of(connection.identity.principal, connection.identity.kernel);
    }
    this.#routes.forget();
    this.#reviewSubscriptions();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#permitTimers.values()) clearTimeout(timer);
    this.#sweeper.close();
    for (const connection of [...this.#connections]) {
      connection.wire.close();
      this.#leave(connection);
    }
    this.#turns.close();
    this.#door.close();
    await this.#listener?.close();
  }

  #enter(wire: Wire<ClientFrame, BrokerFrame>, identity: BusIdentity): WireHandlers<ClientFrame> {
    if (!PRINCIPAL.test(identity.principal)) {
      throw new GraceError(
        'BUS_UNAUTHENTICATED',
        `"${identity.principal}" cannot be a principal: expected one token of a subject`,
      );
    }
    const access = this.#rules.of(identity.principal, identity.kernel);
    const connection = new Connection(wire, identity, this.#door.enter(identity), access, (self) =>
      this.#turns.news(self),
    );
    this.#connections.add(connection);
    return {
      onFrame: (frame) => this.#reception.receive(connection, frame),
      onClose: () => this.#leave(connection),
    };
  }

  #leave(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#reception.leave(connection);
    if (!connection.greeted) return;
    const { principal, incarnation } = connection.identity;
    this.#emit({ type: 'disconnected', principal, incarnation });
  }

  #reviewSubscriptions(): void {
    for (const connection of this.#connections) this.#reception.review(connection);
  }

  *#waiting(): Generator<BusTotals> {
    for (const { subscriptions, unacknowledged } of this.#connections) {
      for (const { queue } of subscriptions.values()) for (const { message } of queue) yield message.account;
      for (const { message } of unacknowledged.values()) yield message.account;
    }
  }
}
