import type { MessagePort } from 'node:worker_threads';
import {
  type AclDocument,
  type BusIdentity,
  type BusStatistics,
  type Clock,
  type DeadLetterPage,
  type DeadLetterQuery,
  type DeadLetterSelection,
  type DurableConsumerStatus,
  GraceError,
  systemClock,
} from '@grace/contracts';
import { Durable } from '../durable/durable.ts';
import type { BrokerFrame, ClientFrame } from '../wire/frames.ts';
import { PortWire } from '../wire/port-wire.ts';
import type { Wire, WireHandlers } from '../wire/wire.ts';
import { AccessRules } from './access-rules.ts';
import { type Account, Accounts } from './accounts.ts';
import { Connection } from './connection.ts';
import { CONSERVATION_EVERY_MS, Conservation } from './conservation.ts';
import { Door } from './door.ts';
import { Intake } from './intake.ts';
import { Listener } from './listener.ts';
import { Permits } from './permits.ts';
import { Reception } from './reception.ts';
import { Router } from './router.ts';
import { Routes } from './routes.ts';
import { Sweeper } from './sweeper.ts';
import { Turns } from './turns.ts';
import type { Broker, BrokerEvent, BrokerOptions, BusPermit, KeptAccess } from './types.ts';

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
  readonly #conservation: Conservation;
  readonly #conservationTimer: NodeJS.Timeout;
  readonly #permits: Permits;
  readonly #door: Door;
  readonly #router: Router;
  readonly #turns: Turns;
  readonly #sweeper: Sweeper;
  readonly #reception: Reception;
  readonly #durable: Durable | undefined;
  #rules: AccessRules;
  #listener: Listener | undefined;
  #permitTimers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(options: BrokerOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#emit = options.onEvent ?? (() => {});
    this.#rules = new AccessRules(options.acl);
    this.#permits = new Permits(this.#clock.monoMs);
    this.#door = new Door(options.mute, this.#clock, (event) => {
      if (event.type === 'muted' || event.type === 'unmuted') this.#tellMuted(event.principal);
      this.#emit(event);
    });
    this.#router = new Router(this.#routes, this.#clock, (connection) => this.#turns.newsWithAnswer(connection));
    this.#durable = options.durable
      ? new Durable(options.durable, {
          accounts: this.#accounts,
          routes: this.#routes,
          router: this.#router,
          clock: this.#clock,
          rules: (principal, kernel) => this.#rules.of(principal, kernel),
          emit: this.#emit,
        })
      : undefined;
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
      this.#durable,
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
      durable: this.#durable,
      accounts: this.#accounts,
      door: this.#door,
      maxPayloadBytes: options.maxPayloadBytes,
      greeted: ({ identity, wire }) =>
        this.#emit({
          type: 'connected',
          principal: identity.principal,
          incarnation: identity.incarnation,
          wire: wire.kind,
        }),
    });
    this.#conservation = new Conservation(this.#emit);
    this.#conservationTimer = setInterval(
      () => this.#conservation.check(this.#totals().families),
      CONSERVATION_EVERY_MS,
    ).unref();
    if (options.kept) this.#restore(options.kept);
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
    const { total, families } = this.#totals();
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
      latency: this.#accounts.latency(),
      unbalanced: this.#conservation.unbalanced,
      durable: this.#durable?.statistics() ?? null,
    };
  }

  mute(principal: string, periodMs: number, by?: string): void {
    this.#door.mute(principal, periodMs, by);
  }

  unmute(principal: string, by?: string): boolean {
    return this.#door.unmute(principal, by);
  }

  permit(request: Omit<BusPermit, 'id'>, by?: string): BusPermit {
    const permit = this.#permits.add(request);
    this.#endInTime(permit);
    this.#emit({ type: 'permitted', permit, by });
    return permit;
  }

  revoke(id: string, by?: string): boolean {
    clearTimeout(this.#permitTimers.get(id));
    this.#permitTimers.delete(id);
    const permit = this.#permits.remove(id);
    if (!permit) return false;
    this.#reviewSubscriptions();
    this.#emit({ type: 'revoked', permit, by });
    return true;
  }

  permits(): BusPermit[] {
    return this.#permits.list();
  }

  kept(): KeptAccess {
    return { mutes: this.#door.kept(), permits: this.#permits.list() };
  }

  setAcl(acl: AclDocument): number {
    this.#rules = new AccessRules(acl);
    for (const connection of this.#connections) {
      connection.access = this.#rules.of(connection.identity.principal, connection.identity.kernel);
    }
    this.#durable?.review();
    this.#routes.forget();
    return this.#reviewSubscriptions();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#conservationTimer);
    for (const timer of this.#permitTimers.values()) clearTimeout(timer);
    this.#sweeper.close();
    this.#durable?.closing();
    for (const connection of [...this.#connections]) {
      connection.wire.close();
      this.#leave(connection);
    }
    this.#turns.close();
    this.#door.close();
    await this.#listener?.close();
    await this.#durable?.close();
  }

  async open(): Promise<void> {
    await this.#durable?.opened();
  }

  consumers(): DurableConsumerStatus[] {
    return this.#durable?.consumers() ?? [];
  }

  async forget(consumer: string): Promise<number> {
    return await this.#keeper().forget(consumer);
  }

  async deadLetters(query: DeadLetterQuery): Promise<DeadLetterPage> {
    return await this.#keeper().deadLetters(query);
  }

  async replay(selection: DeadLetterSelection): Promise<number> {
    return await this.#keeper().replay(selection);
  }

  async purge(selection: DeadLetterSelection): Promise<number> {
    return await this.#keeper().purge(selection);
  }

  #keeper(): Durable {
    if (this.#durable) return this.#durable;
    throw new GraceError('NOT_FOUND', 'this broker keeps nothing: its configuration says durable: false');
  }

  #totals(): ReturnType<Accounts['totals']> {
    return this.#accounts.totals(this.#waiting(), this.#durable?.waiting() ?? []);
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

  #reviewSubscriptions(): number {
    let ended = 0;
    for (const connection of this.#connections) ended += this.#reception.review(connection);
    return ended;
  }

  #restore({ mutes, permits }: KeptAccess): void {
    this.#door.restore(mutes);
    for (const permit of permits) {
      this.#permits.restore(permit);
      this.#endInTime(permit);
    }
  }

  /** Its clients refuse by themselves what it publishes from now on. */
  #tellMuted(name: string): void {
    for (const { principal, greeted, wire } of this.#connections) {
      if (greeted && principal.name === name) wire.send(['muted', principal.mute.untilMono]);
    }
  }

  #endInTime({ id, untilMono }: BusPermit): void {
    const timer = setTimeout(() => this.revoke(id), Math.max(0, untilMono - this.#clock.monoMs())).unref();
    this.#permitTimers.set(id, timer);
  }

  *#waiting(): Generator<Account> {
    for (const { subscriptions, unacknowledged } of this.#connections) {
      for (const { queue } of subscriptions.values())
        for (const { message, kept } of queue) if (!kept) yield message.account;
      for (const { message, kept } of unacknowledged.values()) if (!kept) yield message.account;
    }
  }
}
