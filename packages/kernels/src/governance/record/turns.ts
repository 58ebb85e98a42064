import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';

/** Work that waits for a turn. */
const QUEUE_MAX = 5000;
/** Turns in one transaction; with two evaluations each this stays far below what a heartbeat forgives. */
const TOGETHER_MAX = 64;

interface Turn {
  work: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Runs work one piece after the other, those that arrive together in one transaction with one sync, and answers each when it is on disk.
 * Work that throws leaves nothing behind and takes no other with it.
 */
export interface Turns {
  /** @throws GraceError what `work` throws, `STORAGE_FULL`, `STORAGE_FAILED`; `CONFLICT` when too many wait */
  take<T>(work: () => T): Promise<T>;
  settled(): Promise<void>;
}

export function createTurns(store: KernelStore, onCommit: () => void): Turns {
  const queue: Turn[] = [];
  let scheduled: Promise<void> | undefined;

  const round = (): void => {
    const turns = queue.splice(0, TOGETHER_MAX);
    const done: (() => void)[] = [];
    try {
      store.transaction(() => {
        for (const { work, resolve, reject } of turns) {
          store.db.exec('SAVEPOINT turn');
          try {
            const value = work();
            store.db.exec('RELEASE turn');
            done.push(() => resolve(value));
          } catch (error) {
            // A full disk has rolled everything back already; then there is nothing to go back to, and the commit says so.
            if (store.db.isTransaction) store.db.exec('ROLLBACK TO turn; RELEASE turn');
            done.push(() => reject(error));
            if (!store.db.isTransaction) throw error;
          }
        }
      });
      for (const answer of done) answer();
      onCommit();
    } catch (error) {
      for (const { reject } of turns) reject(error);
    }
  };
  const schedule = (): void => {
    scheduled ??= new Promise<void>((resolve) => {
      setImmediate(() => {
        scheduled = undefined;
        round();
        if (queue.length > 0) schedule();
        resolve();
      });
    });
  };

  return {
    take<T>(work: () => T): Promise<T> {
      if (queue.length >= QUEUE_MAX) {
        return Promise.reject(new GraceError('CONFLICT', `${queue.length} questions wait already; ask again later`));
      }
      return new Promise<T>((resolve, reject) => {
        queue.push({ work, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      });
    },
    async settled() {
      while (scheduled) await scheduled;
    },
  };
}
