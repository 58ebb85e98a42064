import type { AnyRecord, EventMap, EventName, JournalRecord } from '@grace/contracts';

const ORIGIN_WALL = Date.UTC(2026, 10, 15, 9, 56, 9);
const ORIGIN_MONO = 500_000;

/** Writes a journal as the supervisor would: gapless numbers, two times. `at` is ms since the boot of the written system. */
export class JournalWriter {
  readonly records: AnyRecord[] = [];
  /** Monotonic instant of `run:start`. */
  runMono = ORIGIN_MONO;
  #at = 0;

  /** Moves the time on. */
  wait(ms: number): this {
    this.#at += ms;
    return this;
  }

  get mono(): number {
    return ORIGIN_MONO + this.#at;
  }

  get last(): number {
    return this.records.length;
  }

  add<N extends EventName>(
    name: N,
    data: EventMap[N],
    about: Pick<JournalRecord, 'kernel' | 'cell' | 'incarnation' | 'correlation'> = {},
  ): number {
    const seq = this.records.length + 1;
    if (name === 'run:start') this.runMono = this.mono;
    const record = { seq, name, wallMs: ORIGIN_WALL + this.#at, monoMs: this.mono, ...about, data };
    this.records.push(record as unknown as AnyRecord);
    return seq;
  }
}
