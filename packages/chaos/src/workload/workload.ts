import { type BusConnection, createBusClient } from '@grace/bus/client';
import { systemClock, type WorkloadSample } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { pause } from '../observe/wait.ts';
import { type Call, type Disturbance, sampleOf, type Tick } from './operations.ts';

/** Principal of the laboratory's own traffic on the bus. */
export const WORKLOAD_PRINCIPAL = 'workload';
const SUBJECT = 'workload.tick';

/** A steady low rate: enough to notice harm, too little to do any. */
const TICK_EVERY_MS = 20;
const VERB_EVERY_MS = 50;
const APPEND_EVERY_MS = 200;
const CALL_DEADLINE_MS = 3000;
/** Calls under way at once; beyond, the next one is left out rather than queued. */
const MAX_UNDER_WAY = 16;
/** An accepted message that was not handled this long after the end of its stretch is lost, ms. */
const SETTLE_MS = 2000;
/** Operations older than every open stretch are forgotten when there are more than this. */
const MAX_KEPT = 20_000;

/** The steady synthetic workload: numbered messages, verbs, log appends, from before the first wave to after the last. */
export interface Workload {
  /** From now on; `disturbed` are kernels whose calls may fail because of this trial. */
  open(trial: string | null, disturbed: readonly string[]): OpenStretch;
  /** Whether, in the last `withinMs`, a message went round and no call failed. */
  flows(withinMs: number): boolean;
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
  readonly #ticks = new Map<number, Tick>();
  #calls: Call[] = [];
  #timers: NodeJS.Timeout[] = [];
  readonly #open = new Set<{ fromMono: number }>();
  #disturbances: Disturbance[] = [];
  #number = 0;
  #turn = 0;
  #underWay = 0;

  constructor(control: ControlClient, bus: BusConnection, kernels: readonly string[]) {
    this.#control = control;
    this.#bus = bus;
    this.#kernels = kernels;
  }

  async begin(): Promise<void> {
    await this.#bus.subscribe(SUBJECT, ({ payload }) => {
      const tick = this.#ticks.get((payload as { number: number }).number);
      if (tick) tick.handled = true;
    });
    this.#timers = [
      setInterval(() => this.#tick(), TICK_EVERY_MS),
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
    return {
      close: async () => {
        const toMono = systemClock.monoMs();
        disturbance.toMono = toMono;
        await this.#settle(fromMono, toMono);
        const sample = sampleOf({ trial, fromMono, toMono }, this.#ticks.values(), this.#calls, this.#disturbances);
        this.#open.delete(own);
        this.#forget();
        return sample;
      },
    };
  }

  flows(withinMs: number): boolean {
    const sinceMono = systemClock.monoMs() - withinMs;
    const wentRound = [...this.#ticks.values()].some(({ atMono, handled }) => handled && atMono >= sinceMono);
    return wentRound && !this.#calls.some(({ atMono, ms, ok }) => !ok && atMono + ms >= sinceMono);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#bus.close();
  }

  #tick(): void {
    const number = ++this.#number;
    const tick: Tick = { atMono: systemClock.monoMs(), answer: 'open', handled: false };
    this.#ticks.set(number, tick);
    this.#bus.publish(SUBJECT, { number }, { deadlineMs: SETTLE_MS }).then(
      () => {
        tick.answer = 'accepted';
      },
      () => {
        tick.answer = 'refused';
      },
    );
  }

  #callNext(): void {
    const kernel = this.#kernels[this.#turn++ % this.#kernels.length];
    if (kernel !== undefined) this.#call(kernel, 'verb', 'status', {});
  }

  #append(): void {
    if (!this.#kernels.includes('immutable_log')) return;
    this.#call('immutable_log', 'append', 'append', {
      actor: WORKLOAD_PRINCIPAL,
      action: 'tick',
      resource: SUBJECT,
      subsystem: 'laboratory',
      outcome: 'ok',
      payload: { number: this.#number },
    });
  }

  #call(kernel: string, kind: Call['kind'], verb: string, input: unknown): void {
    if (this.#underWay >= MAX_UNDER_WAY) return;
    this.#underWay++;
    const atMono = systemClock.monoMs();
    const note = (ok: boolean): void => {
      this.#underWay--;
      this.#calls.push({ atMono, kernel, kind, ok, ms: systemClock.monoMs() - atMono });
    };
    this.#control.request('call', { kernel, verb, input, from: WORKLOAD_PRINCIPAL }, CALL_DEADLINE_MS).then(
      () => note(true),
      () => note(false),
    );
  }

  /** Waits until every message of the stretch is answered, and handled if it was accepted; at most `SETTLE_MS` longer. */
  async #settle(fromMono: number, toMono: number): Promise<void> {
    const isOpen = (tick: Tick): boolean =>
      tick.atMono >= fromMono &&
      tick.atMono < toMono &&
      (tick.answer === 'open' || (tick.answer === 'accepted' && !tick.handled));
    while (systemClock.monoMs() < toMono + SETTLE_MS && [...this.#ticks.values()].some(isOpen)) await pause(20);
  }

  #forget(): void {
    if (this.#ticks.size + this.#calls.length < MAX_KEPT) return;
    const oldest = Math.min(systemClock.monoMs() - SETTLE_MS * 2, ...[...this.#open].map(({ fromMono }) => fromMono));
    for (const [number, { atMono }] of this.#ticks) if (atMono < oldest) this.#ticks.delete(number);
    this.#calls = this.#calls.filter(({ atMono }) => atMono >= oldest);
    this.#disturbances = this.#disturbances.filter(({ toMono }) => toMono >= oldest);
  }
}
