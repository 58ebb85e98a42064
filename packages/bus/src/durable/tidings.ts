import type { BrokerEvent } from '../broker/types.ts';

/** Commits whose time is remembered. */
const REMEMBERED = 1024;
/** At most one event of dead letters in this time. */
const EVENT_INTERVAL_MS = 1000;

type Death = { subject: string; consumer: string; attempts: number; reason: string };

/** What the durable part tells: how long commits take, and, at a bounded rate, that messages die. */
export class Tidings {
  readonly #emit: (event: BrokerEvent) => void;
  readonly #times = new Float64Array(REMEMBERED);
  commits = 0;
  #dead: { last: Death; count: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(emit: (event: BrokerEvent) => void) {
    this.#emit = emit;
  }

  committed(ms: number): void {
    this.#times[this.commits++ % REMEMBERED] = ms;
  }

  /** Of the latest commits. */
  readonly commitMs = (): { p50: number; p99: number } => {
    const times = this.#times.slice(0, Math.min(this.commits, REMEMBERED)).sort();
    const at = (share: number): number => Math.round((times[Math.floor(times.length * share)] ?? 0) * 1000) / 1000;
    return { p50: at(0.5), p99: at(0.99) };
  };

  died(death: Death): void {
    this.#dead = { last: death, count: (this.#dead?.count ?? 0) + 1 };
    if (this.#timer) return;
    this.#tell();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#dead) this.#tell();
    }, EVENT_INTERVAL_MS).unref();
  }

  storage(state: 'lost' | 'open', words: string): void {
    this.#emit({ type: 'storage', state, words });
  }

  close(): void {
    clearTimeout(this.#timer);
    if (this.#dead) this.#tell();
  }

  #tell(): void {
    const { last, count } = this.#dead!;
    this.#dead = undefined;
    this.#emit({ type: 'dead-letter', ...last, count });
  }
}
