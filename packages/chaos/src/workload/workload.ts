import { type BusConnection, createBusClient } from '@grace/bus/client';
import { type Conservation, systemClock, type WorkloadSample } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { conservationOf } from '../verdict/conservation.ts';
import { type BrokerCounters, compareWithBroker, type OwnCounts, readBroker } from './broker-account.ts';
import { NumberedMessages, type StreamCounts } from './numbered-messages.ts';
import { type Call, type Disturbance, sampleOf } from './operations.ts';

/** Principal of the laboratory's own traffic on the bus. */
export const WORKLOAD_PRINCIPAL = 'workload';
/** Nobody else uses this family of subjects. */
const FAMILY = 'workload';

const LIVE = { subject: `${FAMILY}.tick`, everyMs: 20, answerMs: 2000, settleMs: 2000, consumer: null };
/** What waits on the disk may be brought again only after a broker or a consumer came back. */
const DURABLE = { subject: 'task.workload.tick', everyMs: 100, answerMs: 5000, settleMs: 8000, consumer: 'ticks' };

/** A steady low rate: enough to notice harm, too little to do any. */
const VERB_EVERY_MS = 50;
const APPEND_EVERY_MS = 200;
const CALL_DEADLINE_MS = 3000;
/** Calls under way at once; beyond, the next one is left out rather than queued. */
const MAX_UNDER_WAY = 16;
/** Calls and messages that began this long before every open stretch are needed by nobody, ms. */
const NEEDED_MS = 20_000;
/** Operations older than every open stretch are forgotten when there are more than this. */
const MAX_KEPT = 20_000;
/** Acknowledged appends that are remembered, the newest. */
const MAX_ACKNOWLEDGED = 50_000;

/** An append that the record has answered: it must be readable for ever. */
export interface Acknowledged {
  seq: number;
  number: number;
}

/** The steady synthetic workload: numbered messages, live and durable, verbs, log appends, from before the first wave to after the last. */
export interface Workload {
  /** From now on; `disturbed` are kernels whose calls may fail because of this trial. */
  open(trial: string | null, disturbed: readonly string[]): OpenStretch;
  /** Whether, in the last `withinMs`, a message went round and no call failed. */
  flows(withinMs: number): boolean;
  /** Every append that was acknowledged so far. */
  acknowledged(): readonly Acknowledged[];
  /** Both accounts from the beginning to now, when what is under way has settled. */
  conservation(): Promise<Conservation>;
  close(): Promise<void>;
}

export interface OpenStretch {
  /** Ends the stretch, waits until its messages are settled, and says what was seen. */
  close(): Promise<WorkloadSample>;
}

/** @throws GraceError what `bus.token` or the subscription answers */
export async function startWorkload(control: ControlClient, kernels: readonly string[]): Promise<Workload> {
  const { socket, token } = await control.request('bus.token', { principal: WORKLOAD_PRINCIPAL });
  const bus = createBusClient();
  bus.dial(socket, token);
  const traffic = new Traffic(control, bus, kernels);
  try {
    await traffic.begin();
  } catch (error) {
    await bus.close();
    throw error;
  }
  return traffic;
}

class Traffic implements Workload {
  readonly #control: ControlClient;
  readonly #bus: BusConnection;
  readonly #kernels: readonly string[];
  readonly #live: NumberedMessages;
  readonly #durable: NumberedMessages;
  readonly #acknowledged: Acknowledged[] = [];
  #calls: Call[] = [];
  #timers: NodeJS.Timeout[] = [];
  readonly #open = new Set<{ fromMono: number }>();
  #disturbances: Disturbance[] = [];
  #origin: BrokerCounters | string = 'the broker was not read before the workload began';
  #appends = 0;
  #turn = 0;
  #underWay = 0;

  constructor(control: ControlClient, bus: BusConnection, kernels: readonly string[]) {
    this.#control = control;
    this.#bus = bus;
    this.#kernels = kernels;
    this.#live = new NumberedMessages(bus, LIVE);
    this.#durable = new NumberedMessages(bus, DURABLE);
  }

  async begin(): Promise<void> {
    this.#origin = await this.#readBroker();
    await Promise.all([this.#live.begin(), this.#durable.begin()]);
    this.#timers = [
      setInterval(() => this.#callNext(), VERB_EVERY_MS),
      setInterval(() => this.#append(), APPEND_EVERY_MS),
    ];
  }

  open(trial: string | null, disturbed: readonly string[]): OpenStretch {
    const fromMono = systemClock.monoMs();
    const own = { fromMono };
    const disturbance = { fromMono, toMono: Number.POSITIVE_INFINITY, kernels: new Set(disturbed) };
    this.#open.add(own);
    this.#disturbances.push(disturbance);
    const before = this.#readBroker();
    return {
      close: async () => {
        const toMono = systemClock.monoMs();
        disturbance.toMono = toMono;
        await Promise.all([this.#live.settle(fromMono, toMono), this.#durable.settle(fromMono, toMono)]);
        const broker = compareWithBroker(this.#origin, await before, await this.#readBroker());
        const operations = {
          ticks: this.#live.ticks.values(),
          durable: this.#durable.ticks.values(),
          calls: this.#calls,
        };
        const sample = sampleOf({ trial, fromMono, toMono }, operations, this.#disturbances);
        this.#open.delete(own);
        this.#forget();
        return { ...sample, broker };
      },
    };
  }

  flows(withinMs: number): boolean {
    const sinceMono = systemClock.monoMs() - withinMs;
    const flow = this.#live.wentRound(sinceMono) && this.#durable.wentRound(sinceMono);
    return flow && !this.#calls.some(({ atMono, ms, ok }) => !ok && atMono + ms >= sinceMono);
  }

  acknowledged(): readonly Acknowledged[] {
    return [...this.#acknowledged];
  }

  async conservation(): Promise<Conservation> {
    const now = systemClock.monoMs();
    await Promise.all([this.#live.settle(0, now), this.#durable.settle(0, now)]);
    const live = outcomesOf(this.#live.counts);
    const durable = outcomesOf(this.#durable.counts);
    return conservationOf(live, durable, compareWithBroker(this.#origin, this.#origin, await this.#readBroker()));
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([this.#live.end(), this.#durable.end()]);
    await this.#bus.close();
  }

  #readBroker(): Promise<BrokerCounters | string> {
    return readBroker(
      this.#control,
      WORKLOAD_PRINCIPAL,
      FAMILY,
      (): OwnCounts => ({
        live: { ...this.#live.counts },
        durable: { ...this.#durable.counts },
      }),
    );
  }

  #callNext(): void {
    const kernel = this.#kernels[this.#turn++ % this.#kernels.length];
    if (kernel !== undefined) this.#call(kernel, 'verb', 'status', {});
  }

  #append(): void {
    if (!this.#kernels.includes('immutable_log')) return;
    const number = ++this.#appends;
    const entry = {
      actor: WORKLOAD_PRINCIPAL,
      action: 'tick',
      resource: LIVE.subject,
      subsystem: 'laboratory',
      outcome: 'ok',
      payload: { number },
    };
    this.#call('immutable_log', 'append', 'append', entry, (receipt) => {
      const { seq } = (receipt ?? {}) as { seq?: unknown };
      if (typeof seq !== 'number') return;
      this.#acknowledged.push({ seq, number });
      if (this.#acknowledged.length > MAX_ACKNOWLEDGED) this.#acknowledged.shift();
    });
  }

  #call(kernel: string, kind: Call['kind'], verb: string, input: unknown, take: (answer: unknown) => void = () => {}) {
    if (this.#underWay >= MAX_UNDER_WAY) return;
    this.#underWay++;
    const atMono = systemClock.monoMs();
    const note = (ok: boolean): void => {
      this.#underWay--;
      this.#calls.push({ atMono, kernel, kind, ok, ms: systemClock.monoMs() - atMono });
    };
    this.#control.request('call', { kernel, verb, input, from: WORKLOAD_PRINCIPAL }, CALL_DEADLINE_MS).then(
      (answer) => {
        note(true);
        take(answer);
      },
      () => note(false),
    );
  }

  #forget(): void {
    if (this.#live.ticks.size + this.#durable.ticks.size + this.#calls.length < MAX_KEPT) return;
    const oldest = Math.min(systemClock.monoMs() - NEEDED_MS, ...[...this.#open].map(({ fromMono }) => fromMono));
    this.#live.forget(oldest);
    this.#durable.forget(oldest);
    this.#calls = this.#calls.filter(({ atMono }) => atMono >= oldest);
    this.#disturbances = this.#disturbances.filter(({ toMono }) => toMono >= oldest);
  }
}

/** What was accepted when nothing is under way any more, and has not come, is lost. */
function outcomesOf({ accepted, refused, handled }: StreamCounts): WorkloadSample['messages'] {
  return { accepted, handled, rejected: refused, lost: accepted - handled };
}
