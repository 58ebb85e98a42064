import type { AnyRecord } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from './book.ts';
import { takeRecord } from './fold.ts';
import { newFold } from './fold-state.ts';

/** How far the journal was read. */
export interface Reading {
  /** The last record that counts, and the newest there is; null: the supervisor has not told yet. */
  through: number;
  end: number | null;
  /** Everything there is has been read. */
  complete: boolean;
  /** Records that were passed over because there were too many. */
  skipped: number;
  /** Why it could not be read on; null: it could. */
  error: string | null;
}

export interface JournalReader {
  /** Reads what is new. Never throws: what could not be read is read next time, and the answer says so. */
  catchUp(): Promise<Reading>;
  standing(): Reading;
}

const PAGE = 500;
const DEADLINE_MS = 5000;
/** Of one round: beyond it, the next goes on. */
const PAGES_MAX = 40;
/** A home may be years old, and the supervisor reads old records from the beginning for each page: of more than this, only the end is read. */
const BEHIND_MAX = 20_000;

interface Page {
  records: AnyRecord[];
  /** `after` of the next page. */
  last: number;
  end: number;
}

/**
 * The journal, page by page, from where the life before ended: what happened while this kernel was away counts like everything else. The
 * bus only says that there is something new.
 */
export function createJournalReader(ctx: KernelContext, book: Book): JournalReader {
  let reading: Reading = { through: book.state().seq, end: null, complete: false, skipped: 0, error: null };
  let running: Promise<Reading> | undefined;

  const page = (after: number): Promise<Page> =>
    ctx.supervisor.command('journal', { after, limit: PAGE }, DEADLINE_MS) as Promise<Page>;

  const round = async (): Promise<Reading> => {
    let state = book.state();
    let { skipped } = reading;
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const { records, last, end } = await page(state.seq);
      // Asked to end meanwhile: the store is about to be closed.
      if (ctx.signal.aborted) return reading;
      if (end < state.seq) {
        // Another journal: the home was begun anew.
        state = newFold();
        continue;
      }
      if (end - state.seq > BEHIND_MAX) {
        skipped += end - BEHIND_MAX - state.seq;
        state = { ...newFold(), seq: end - BEHIND_MAX };
        continue;
      }
      const facts = { incidents: [], restarts: [], runs: [], readies: [] };
      for (const record of records) takeRecord(state, record, facts);
      state.seq = Math.max(state.seq, last);
      if (records.length > 0) book.keep(facts, state);
      reading = { through: state.seq, end, complete: state.seq >= end, skipped, error: null };
      if (records.length === 0 || reading.complete) break;
    }
    return reading;
  };

  return {
    catchUp() {
      running ??= round()
        .catch((error: Error) => {
          reading = { ...reading, complete: false, error: error.message };
          return reading;
        })
        .finally(() => {
          running = undefined;
        });
      return running;
    },
    standing: () => reading,
  };
}
