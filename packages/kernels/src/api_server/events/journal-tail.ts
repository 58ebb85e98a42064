import type { AnyRecord } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { JournalPage, SystemView } from '../system-view.ts';

const RECENT_MAX = 2000;
const PAGE = 200;
/** Should the bus not tell of a record, it is found after this time. */
const LOOK_MS = 500;

/**
 * The end of the journal, for all streams together. The bus only says that there is something new; what it is is read from the journal, in
 * its order and without gaps, so a stream promises the same with and without a bus.
 */
export class JournalTail {
  readonly #ctx: KernelContext;
  readonly #view: Pick<SystemView, 'journal'>;
  readonly #listeners = new Set<() => void>();
  readonly #recent: AnyRecord[] = [];
  /** The newest record known; undefined: nobody has looked. */
  #last: number | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #listening: Promise<{ unsubscribe(): Promise<void> } | undefined> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ctx: KernelContext, view: Pick<SystemView, 'journal'>) {
    this.#ctx = ctx;
    this.#view = view;
  }

  /** The newest record there is, now. */
  async end(): Promise<number> {
    if (this.#last === undefined || this.#listeners.size === 0)
      this.#last = (await this.#view.journal(Number.MAX_SAFE_INTEGER, 1)).end;
    return this.#last;
  }

  /** Calls `listener` when there may be something new, until the answer is called. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#begin();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.stop();
    };
  }

  /** The next records after `after`; none: there is nothing new. */
  async page(after: number): Promise<Pick<JournalPage, 'records' | 'last'>> {
    const first = this.#recent[0]?.seq;
    if (first !== undefined && after + 1 >= first) {
      const records = this.#recent.slice(after + 1 - first, after + 1 - first + PAGE);
      return { records, last: records.at(-1)?.seq ?? after };
    }
    if (this.#last !== undefined && after >= this.#last) return { records: [], last: after };
    return await this.#view.journal(after, PAGE);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const listening = this.#listening;
    this.#listening = undefined;
    void listening?.then((subscription) => subscription?.unsubscribe()).catch(() => {});
    this.#recent.length = 0;
    this.#last = undefined;
  }

  #begin(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#listening = this.#ctx.bus
      .subscribe('system.events.>', () => this.#look(), { policy: 'drop-oldest', durable: false })
      .catch((error: Error) => {
        this.#ctx.log.debug('the bus does not tell of new records; they are looked for', { error: error.message });
        return undefined;
      });
    this.#look();
  }

  #look(): void {
    this.#again = true;
    this.#looking ??= this.#read()
      .catch((error: Error) => this.#ctx.log.debug('the journal could not be read', { error: error.message }))
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async #read(): Promise<void> {
    while (this.#again && this.#listeners.size > 0) {
      this.#again = false;
      if (this.#last === undefined) {
        this.#last = (await this.#view.journal(Number.MAX_SAFE_INTEGER, 1)).end;
        // A stream that began before this has its place before it, and must not wait for the next record.
        for (const listener of this.#listeners) listener();
      }
      for (;;) {
        const { records } = await this.#view.journal(this.#last, PAGE);
        // Nobody listens any more: what was known is forgotten.
        if (records.length === 0 || this.#listeners.size === 0 || this.#last === undefined) break;
        this.#take(records);
      }
    }
  }

  #take(records: AnyRecord[]): void {
    // A gap (records that cannot be read any more) would shift every place behind it.
    const before = this.#recent.at(-1)?.seq;
    if (before !== undefined && records[0]!.seq !== before + 1) this.#recent.length = 0;
    for (const record of records) {
      if (this.#recent.length > 0 && record.seq !== this.#recent.at(-1)!.seq + 1) this.#recent.length = 0;
      this.#recent.push(record);
    }
    if (this.#recent.length > RECENT_MAX) this.#recent.splice(0, this.#recent.length - RECENT_MAX);
    this.#last = records.at(-1)!.seq;
    for (const listener of this.#listeners) listener();
  }
}
