import { type MessagePort, threadId } from 'node:worker_threads';
import { type Clock, GraceError, PRIORITIES, systemClock } from '@grace/contracts';
import { checkPattern, checkSubject, isControlSubject } from '../subject/subject.ts';
import { type BrokerFrame, type ClientFrame, type Extra, REQUEST_BIT, SEEN_BIT } from '../wire/frames.ts';
import type { Lane } from '../wire/lanes.ts';
import { type PackedPayload, pack, sizeOf } from '../wire/payload.ts';
import { formOf, take } from '../wire/payload-transfer.ts';
import { PortWire } from '../wire/port-wire.ts';
import type { Wire } from '../wire/wire.ts';
import type { Dialer } from './dialer.ts';
import type { Pending } from './pending.ts';
import { Session } from './session.ts';
import type {
  BusClientCounters,
  BusConnection,
  MessageHandler,
  PublishOptions,
  RequestOptions,
  SubscribeOptions,
  Subscription,
} from './types.ts';

export interface BusClientOptions {
  /** Messages that may wait in this client while no broker is there or its windows are used up; default 10,000. */
  outboxLimit?: number;
  /** Deliveries this client takes unacknowledged per subscription, and messages it sends undecided per priority; default 1024. */
  creditMessages?: number;
  /** The same in payload bytes; default 4 MiB. */
  creditBytes?: number;
  clock?: Clock;
}

const DEFAULT_DEADLINE_MS = 5000;
const MAX_KEY_LENGTH = 256;
/** Subjects checked once are remembered, so that the check costs a look-up. */
const REMEMBERED_SUBJECTS = 1024;

export function createBusClient(options: BusClientOptions = {}): BusConnection {
  return new Client(options);
}

class Client implements BusConnection {
  readonly #clock: Clock;
  readonly #session: Session;
  /** Ids are unique, not secret: no thread loads node:crypto for them, which costs 8 ms at its start. */
  readonly #idPrefix = [process.pid, threadId, Date.now(), Math.floor(Math.random() * 2 ** 48)]
    .map((part) => part.toString(36))
    .join('.');
  readonly #subjects = new Set<string>();
  #nextId = 1;
  #nextSubscription = 1;
  #dialer: Dialer | undefined;
  #dialing = 0;

  constructor(options: BusClientOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#session = new Session({
      outboxLimit: options.outboxLimit ?? 10_000,
      creditMessages: options.creditMessages ?? 1024,
      creditBytes: options.creditBytes ?? 4 * 1024 ** 2,
      clock: this.#clock,
    });
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  publish(subject: string, payload: unknown, options: PublishOptions = {}): Promise<{ id: string }> {
    return this.#send(subject, payload, options, 0) as Promise<{ id: string }>;
  }

  request(subject: string, payload: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#send(subject, payload, options, REQUEST_BIT);
  }

  async subscribe(pattern: string, handler: MessageHandler, options: SubscribeOptions = {}): Promise<Subscription> {
    checkPattern(pattern);
    const number = this.#nextSubscription++;
    const deadlineMs = checkDeadline(options.deadlineMs);
    await this.#session.subscribe(
      {
        number,
        pattern,
        handler,
        queue: options.queue ?? null,
        policy: options.policy ?? null,
        durable: options.durable ?? null,
        isManual: options.ack === 'manual',
        onEnd: options.onEnd,
      },
      this.#clock.monoMs() + deadlineMs,
    );
    return { pattern, unsubscribe: async () => this.#session.unsubscribe(number) };
  }

  attach(port: MessagePort): void {
    this.#endDialing();
    this.#session.connect(new PortWire<BrokerFrame, ClientFrame>(port) as Wire<BrokerFrame, ClientFrame>, null);
  }

  dial(path: string, token: string): void {
    this.#endDialing();
    this.#session.disconnect();
    const attempt = this.#dialing;
    // What only sockets need is loaded only where a socket is dialled.
    void import('./dialer.ts').then(({ Dialer }) => {
      if (attempt !== this.#dialing) return;
      this.#dialer = new Dialer(path, token, this.#session);
      this.#dialer.start();
    });
  }

  async close(): Promise<void> {
    this.#endDialing();
    this.#session.close();
  }

  counters(): BusClientCounters {
    return this.#session.counters();
  }

  #endDialing(): void {
    this.#dialing++;
    this.#dialer?.stop();
    this.#dialer = undefined;
  }

  #send(subject: string, payload: unknown, options: PublishOptions, kind: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#checkSubject(subject);
      const nowMono = this.#clock.monoMs();
      const lane = (isControlSubject(subject) ? 0 : PRIORITIES.indexOf(options.priority ?? 'normal')) as Lane;
      const deadlineMs = checkDeadline(options.deadlineMs);
      const { packed, form } = packWith(payload, options.transfer);
      const pending: Pending = {
        subject,
        lane,
        flags: lane | kind | form | (options.id === undefined ? 0 : SEEN_BIT),
        id: options.id ?? `${this.#idPrefix}-${this.#nextId++}`,
        deadlineMono: Math.ceil(nowMono + deadlineMs),
        extra: extraOf(options),
        payload: packed,
        bytes: sizeOf(packed),
        isRequest: kind !== 0,
        moves: form !== 0,
        resolve,
        reject,
        settled: false,
      };
      this.#session.send(pending, nowMono);
    });
  }

  #checkSubject(subject: string): void {
    if (this.#subjects.has(subject)) return;
    checkSubject(subject);
    if (this.#subjects.size === REMEMBERED_SUBJECTS) this.#subjects.clear();
    this.#subjects.add(subject);
  }
}

/** Packed, and what was given away taken from the sender: after it could be packed, so that a mistake costs nothing. */
function packWith(payload: unknown, transfer: readonly ArrayBuffer[] = []): { packed: PackedPayload; form: number } {
  const form = formOf(payload, transfer);
  const packed = form === 0 ? pack(payload) : null;
  const whole = transfer.length === 0 ? null : take(payload, transfer);
  return { packed: form === 0 ? packed : whole, form };
}

function checkDeadline(deadlineMs = DEFAULT_DEADLINE_MS): number {
  if (Number.isFinite(deadlineMs) && deadlineMs >= 0) return deadlineMs;
  throw new GraceError('BAD_INPUT', `deadlineMs: expected milliseconds from 0 up, got ${deadlineMs}`);
}

function extraOf({ schema, correlation, causation, key, lifetimeMs }: PublishOptions): Extra {
  if (key !== undefined || lifetimeMs !== undefined) {
    return [schema ?? 1, correlation ?? null, causation ?? null, checkKey(key), checkLifetime(lifetimeMs)];
  }
  if (schema === undefined && correlation === undefined && causation === undefined) return null;
  return [schema ?? 1, correlation ?? null, causation ?? null];
}

function checkKey(key: string | undefined): string | null {
  if (key === undefined) return null;
  if (typeof key === 'string' && key.length <= MAX_KEY_LENGTH) return key;
  throw new GraceError('BAD_INPUT', `key: expected a text of up to ${MAX_KEY_LENGTH} characters`);
}

function checkLifetime(lifetimeMs: number | undefined): number | null {
  if (lifetimeMs === undefined) return null;
  if (Number.isFinite(lifetimeMs) && lifetimeMs >= 0) return lifetimeMs;
  throw new GraceError('BAD_INPUT', `lifetimeMs: expected milliseconds from 0 up, got ${lifetimeMs}`);
}
