import { type Clock, GraceError } from '@grace/contracts';
import type { Access } from '../broker/access-rules.ts';
import type { Accounts } from '../broker/accounts.ts';
import type { Connection } from '../broker/connection.ts';
import type { Routes } from '../broker/routes.ts';
import type { BrokerSubscription } from '../broker/subscription.ts';
import type { DurableWish } from '../wire/frames.ts';
import { Consumer, type ConsumerDescription, consumerName } from './consumer.ts';
import type { Consumers } from './consumers.ts';
import type { DurableSettings } from './options.ts';
import type { Publishing } from './publishing.ts';
import type { ClaimResult } from './storage/orders.ts';
import type { Storage } from './storage.ts';

const RETRY_MS = 500;
const STILL_CHECK_MS = 5;

export interface MembershipParts {
  settings: DurableSettings;
  consumers: Consumers;
  storage: Storage;
  publishing: Publishing;
  accounts: Accounts;
  routes: Routes;
  clock: Clock;
  rules(principal: string, kernel: boolean): Access;
  /** Lines of unclaimed messages have changed. */
  claimed(): void;
  /** There is somebody to send to. */
  ready(consumer: Consumer): void;
}

type Done = (error?: GraceError) => void;

/** Who the durable consumers are: made by their first subscription, kept while nobody is there, removed when their last member says so. */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #of = new Map<BrokerSubscription, Consumer>();
  /** Subscriptions that wait until their consumer is on disk. */
  readonly #waiting = new Map<Consumer, Done[]>();
  /** Came before the file was open. */
  #early: (() => void)[] | undefined = [];

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  load(consumers: readonly [number: number, description: string][]): void {
    const { rules, clock } = this.#parts;
    for (const [number, text] of consumers) {
      const description = JSON.parse(text) as ConsumerDescription;
      const access = rules(description.principal, description.kernel);
      const consumer = new Consumer(number, description, access, clock.wallMs());
      consumer.kept = true;
      this.#parts.consumers.add(consumer);
    }
  }

  loaded(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const join of early) join();
  }

  join(subscription: BrokerSubscription, connection: Connection, wish: DurableWish, done: Done): void {
    if (this.#early) {
      this.#early.push(() => this.join(subscription, connection, wish, done));
      return;
    }
    if (!subscription.open) return;
    const description = this.#describe(subscription, connection, wish);
    const known = this.#parts.consumers.find(description.name);
    if (known) this.#joinKnown(known, subscription, description, done);
    else this.#create(subscription, connection, description, done);
  }

  of(subscription: BrokerSubscription): Consumer | undefined {
    return this.#of.get(subscription);
  }

  leave(subscription: BrokerSubscription, explicit: boolean): void {
    const consumer = this.#of.get(subscription);
    if (!consumer) return;
    this.#of.delete(subscription);
    consumer.members = consumer.members.filter((member) => member !== subscription);
    consumer.idleSinceMs = this.#parts.clock.wallMs();
    if (consumer.members.length > 0) this.#parts.ready(consumer);
    else if (explicit) this.remove(consumer, 'rejected');
  }

  /** @throws GraceError `NOT_FOUND`, `CONFLICT` */
  forget(name: string): Promise<number> {
    const consumer = this.#parts.consumers.find(name);
    if (!consumer) throw new GraceError('NOT_FOUND', `no durable consumer is named "${name}"`);
    if (consumer.members.length > 0) {
      throw new GraceError(
        'CONFLICT',
        `"${name}" has ${consumer.members.length} members; it goes when they unsubscribe`,
      );
    }
    return new Promise((resolve) => this.remove(consumer, 'rejected', resolve));
  }

  /** The consumer and all that waits for it go. */
  remove(consumer: Consumer, outcome: 'rejected' | 'expired', done: (count: number) => void = () => {}): void {
    const { consumers, routes } = this.#parts;
    consumers.leave(consumer);
    routes.forget();
    this.#remove(consumer, outcome, done);
  }

  #remove(consumer: Consumer, outcome: 'rejected' | 'expired', done: (count: number) => void): void {
    const { consumers, storage, accounts } = this.#parts;
    storage.send(
      { t: 'forget', consumer: consumer.number },
      () => {
        for (const { sums } of consumer.lines) {
          for (const [family, { count }] of sums) accounts.of(family)[outcome] += count;
        }
        const count = consumer.waiting;
        consumers.gone(consumer);
        done(count);
      },
      () => setTimeout(() => this.#remove(consumer, outcome, done), RETRY_MS).unref(),
    );
  }

  #joinKnown(consumer: Consumer, subscription: BrokerSubscription, description: ConsumerDescription, done: Done): void {
    const { consumers, storage, routes, rules } = this.#parts;
    this.#add(consumer, subscription);
    if (JSON.stringify(description) !== JSON.stringify(consumer.description)) {
      consumers.describe(consumer, description);
      consumer.access = rules(description.principal, description.kernel);
      routes.forget();
      storage.send(
        { t: 'write', writes: [['consumer', consumer.number, JSON.stringify(description)]] },
        () => {},
        () => {},
      );
    }
    if (!consumer.kept) {
      this.#waiting.get(consumer)!.push(done);
      return;
    }
    done();
    this.#parts.ready(consumer);
  }

  #create(
    subscription: BrokerSubscription,
    { access }: Connection,
    description: ConsumerDescription,
    done: Done,
  ): void {
    const { consumers, publishing, clock } = this.#parts;
    let consumer: Consumer;
    try {
      consumer = new Consumer(consumers.nextNumber(), description, access, clock.wallMs());
    } catch (error) {
      done(error as GraceError);
      return;
    }
    consumers.add(consumer);
    this.#add(consumer, subscription);
    this.#waiting.set(consumer, [done]);
    publishing.beginClaim();
    this.#claimWhenStill(consumer);
  }

  /** What is being looked through for what is over must not move meanwhile. */
  #claimWhenStill(consumer: Consumer): void {
    if (this.#parts.consumers.unclaimed.every(({ paging }) => !paging)) this.#claim(consumer);
    else setTimeout(() => this.#claimWhenStill(consumer), STILL_CHECK_MS).unref();
  }

  #claim(consumer: Consumer): void {
    const { consumers, storage, publishing, routes, clock } = this.#parts;
    const { description, number } = consumer;
    const end = (error?: GraceError): void => {
      publishing.endClaim();
      const waiting = this.#waiting.get(consumer) ?? [];
      this.#waiting.delete(consumer);
      for (const done of waiting) done(error);
    };
    storage.send<ClaimResult>(
      {
        t: 'claim',
        consumer: number,
        description: JSON.stringify(description),
        pattern: description.pattern,
        nowMs: clock.wallMs(),
      },
      ({ lines, unclaimed }) => {
        for (const line of lines) consumers.line(line.line)?.load(line);
        for (const line of consumers.unclaimed) {
          line.load(
            unclaimed.find((one) => one.line === line.number) ?? {
              line: line.number,
              next: 1,
              sums: [],
              oldestMs: null,
              sent: 0,
            },
          );
        }
        this.#parts.claimed();
        consumer.kept = true;
        routes.forget();
        end();
        if (!consumer.closed) this.#parts.ready(consumer);
      },
      (error) => {
        consumers.leave(consumer);
        consumers.gone(consumer);
        for (const member of consumer.members) this.#of.delete(member);
        end(new GraceError('BUS_OVERLOADED', `${error.code}: ${error.message}`));
      },
    );
  }

  #add(consumer: Consumer, subscription: BrokerSubscription): void {
    consumer.members = [...consumer.members, subscription];
    this.#of.set(subscription, consumer);
  }

  #describe(subscription: BrokerSubscription, connection: Connection, wish: DurableWish): ConsumerDescription {
    const { settings } = this.#parts;
    const { pattern, group } = subscription;
    const { principal, kernel } = connection.identity;
    return {
      name: consumerName(principal, group, wish.name ?? pattern),
      pattern,
      queue: group,
      principal,
      kernel,
      settings: {
        ackWaitMs: wish.ackWaitMs ?? settings.ackWaitMs,
        backoffMs: wish.backoffMs ?? settings.backoffMs,
        maxAttempts: wish.maxAttempts ?? settings.maxAttempts,
        ordered: wish.ordered ?? false,
      },
    };
  }
}
