import type { AnyRecord } from '@grace/contracts';
import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { HandworkBook } from '../handwork/book.ts';
import type { OutcomeBook } from '../outcomes/book.ts';
import { take } from './take.ts';

/** What is learned into. */
export interface Books {
  outcomes: OutcomeBook;
  handwork: HandworkBook;
}

/** Records that wait to be written together. A crash loses them here; they are read again from the journal. */
const FLUSH_MS = 200;
const WAITING_MAX = 500;
const CURSOR = 'journal.cursor';

/** Writes what is heard, a few records in one transaction, with how far it came in the journal. */
export interface Intake {
  hear(record: AnyRecord): void;
  /** Writes what waits. */
  flush(): void;
  /** Writes these now; everything up to `cursor` has been read. */
  write(records: readonly AnyRecord[], cursor: number): void;
  /** While false the cursor stays: what lies after it was not all heard. */
  complete(isComplete: boolean): void;
  /** Null: nothing was ever read. */
  cursor(): number | null;
  status(): { caughtUp: boolean; cursor: number | null; waiting: number };
}

/** @param onTaken called after something was written, with nothing open */
export function createIntake(ctx: KernelContext, { outcomes, handwork }: Books, onTaken: () => void): Intake {
  let waiting: AnyRecord[] = [];
  let timer: NodeJS.Timeout | undefined;
  let last = ctx.store.get<number>(CURSOR) ?? null;
  let isComplete = false;

  const write = (records: readonly AnyRecord[], cursor: number | null): void => {
    ctx.store.transaction(() => {
      for (const record of records) {
        try {
          take(record, outcomes, handwork);
        } catch (error) {
          // One record that says something else than was said before takes no other with it.
          if (!(error instanceof GraceError && error.code === 'CONFLICT')) throw error;
          ctx.log.warn('a record was not taken', { seq: record.seq, name: record.name, error: error.message });
        }
      }
      outcomes.prune();
      handwork.prune();
      if (cursor !== null) ctx.store.set(CURSOR, cursor);
    });
    last = cursor ?? last;
    if (records.length > 0) onTaken();
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    const seen = Math.max(last ?? 0, ...batch.map(({ seq }) => seq));
    try {
      write(batch, isComplete ? seen : null);
    } catch (error) {
      // The disk takes nothing. The cursor stays, so they are read again at the next start or when the bus comes back.
      isComplete = false;
      ctx.log.warn('what was heard could not be written', { records: batch.length, error: (error as Error).message });
    }
  };
  return {
    hear(record) {
      if (ctx.signal.aborted) return;
      waiting.push(record);
      if (waiting.length >= WAITING_MAX) flush();
      else timer ??= setTimeout(flush, FLUSH_MS);
    },
    flush,
    write,
    complete: (now) => {
      isComplete = now;
    },
    cursor: () => last,
    status: () => ({ caughtUp: isComplete, cursor: last, waiting: waiting.length }),
  };
}
