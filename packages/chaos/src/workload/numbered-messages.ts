import { randomUUID } from 'node:crypto';
import type { BusClient, Subscription } from '@grace/bus/client';
import { systemClock } from '@grace/contracts';
import { pause } from '../observe/wait.ts';
import type { Tick } from './operations.ts';

export interface StreamSettings {
  subject: string;
  everyMs: number;
  /** How long a publish waits for its answer, ms. */
  answerMs: number;
  /** A message that was accepted and has not come back this long after the end of its stretch is lost, ms. */
  settleMs: number;
  /** Name of the durable consumer; null: live messages. */
  consumer: string | null;
}

/** What one stream has come to since it began; each only grows. */
export interface StreamCounts {
  sent: number;
  accepted: number;
  refused: number;
  /** Each once, also those of which nobody knows whether they were accepted. */
  heard: number;
  /** Accepted and heard. */
  handled: number;
}

/** Messages with numbers, published steadily, and heard again by the same client. */
export class NumberedMessages {
  readonly counts: StreamCounts = { sent: 0, accepted: 0, refused: 0, heard: 0, handled: 0 };
  readonly #bus: BusClient;
  readonly #settings: StreamSettings;
  readonly #ticks = new Map<number, Tick>();
  /** Tells the messages of this run from those that one before may have left. */
  readonly #stream = randomUUID();
  #subscription: Subscription | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(bus: BusClient, settings: StreamSettings) {
    this.#bus = bus;
    this.#settings = settings;
  }

  get ticks(): ReadonlyMap<number, Tick> {
    return this.#ticks;
  }

  async begin(): Promise<void> {
    const { subject, consumer, everyMs } = this.#settings;
    const options = consumer === null ? {} : { durable: { name: consumer } };
    this.#subscription = await this.#bus.subscribe(subject, ({ payload }) => this.#heard(payload), options);
    this.#timer = setInterval(() => this.#publish(), everyMs);
  }

  /** Publishes no more, and takes its consumer off the bus. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#subscription?.unsubscribe().catch(() => {});
  }

  /** Waits until every message of the stretch is answered, and handled if it was accepted; at most `settleMs` longer. */
  async settle(fromMono: number, toMono: number): Promise<void> {
    const isOpen = ({ atMono, answer, handledMono }: Tick): boolean =>
      atMono >= fromMono && atMono < toMono && (answer === 'open' || (answer === 'accepted' && handledMono === null));
    const end = toMono + this.#settings.settleMs;
    while (systemClock.monoMs() < end && [...this.#ticks.values()].some(isOpen)) await pause(20);
  }

  /** Whether one came back that was sent since then. */
  wentRound(sinceMono: number): boolean {
    return [...this.#ticks.values()].some(({ atMono, handledMono }) => handledMono !== null && atMono >= sinceMono);
  }

  forget(beforeMono: number): void {
    for (const [number, { atMono }] of this.#ticks) if (atMono < beforeMono) this.#ticks.delete(number);
  }

  #publish(): void {
    const { subject, answerMs } = this.#settings;
    const number = ++this.counts.sent;
    const tick: Tick = { atMono: systemClock.monoMs(), answer: 'open', handledMono: null, times: 0 };
    this.#ticks.set(number, tick);
    this.#bus.publish(subject, { stream: this.#stream, number }, { deadlineMs: answerMs }).then(
      () => {
        tick.answer = 'accepted';
        this.counts.accepted++;
        if (tick.handledMono !== null) this.counts.handled++;
      },
      () => {
        tick.answer = 'refused';
        this.counts.refused++;
      },
    );
  }

  #heard(payload: unknown): void {
    const { stream, number } = payload as { stream: string; number: number };
    if (stream !== this.#stream) return;
    const tick = this.#ticks.get(number);
    if (!tick) return;
    tick.times++;
    if (tick.handledMono !== null) return;
    tick.handledMono = systemClock.monoMs();
    this.counts.heard++;
    if (tick.answer === 'accepted') this.counts.handled++;
  }
}
