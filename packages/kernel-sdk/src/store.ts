import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { GraceError } from '@grace/contracts';
import { storageError } from './storage-error.ts';

/** A kernel's own SQLite file. WAL with full sync: what a statement has committed survives `kill -9` and power loss. */
export interface KernelStore {
  readonly path: string;
  /** The database itself, for kernels with tables of their own. */
  readonly db: DatabaseSync;
  /** Runs each migration once, in order, in a transaction of its own; their number is kept in `user_version`. */
  migrate(migrations: readonly string[]): void;
  /**
   * Runs `work` in one transaction; rolls back when it throws. Transactions do not nest.
   * @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED`; `BAD_INPUT` when `work` is asynchronous: what comes after its first await would
   * stand outside
   */
  transaction<T>(work: () => T): T;
  /** Small state by key; values are JSON. */
  get<T>(key: string): T | undefined;
  /** @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED`; `BAD_INPUT` for what JSON cannot say: undefined, functions, bigints, circles */
  set(key: string, value: unknown): void;
  delete(key: string): void;
  close(): void;
}

/** Opens `<stateDir>/store.sqlite` at first use, so a kernel that keeps nothing pays nothing. */
export function createStore(stateDir: string, file = 'store.sqlite'): KernelStore {
  const path = join(stateDir, file);
  let opened: DatabaseSync | undefined;
  const open = (): DatabaseSync => {
    if (opened) return opened;
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: 2000 });
      db.exec(
        'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
      );
    } catch (error) {
      db?.close();
      throw storageError(error, stateDir);
    }
    opened = db;
    return db;
  };
  const store: KernelStore = {
    path,
    get db() {
      return open();
    },
    migrate(migrations) {
      const db = open();
      const done = (): number => (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
      while (done() < migrations.length) {
        store.transaction(() => {
          // Read again under the lock: the life before may still be ending, with the same migrations.
          const version = done();
          if (version >= migrations.length) return;
          db.exec(migrations[version]!);
          db.exec(`PRAGMA user_version = ${version + 1}`);
        });
      }
    },
    transaction(work) {
      const db = open();
      db.exec('BEGIN IMMEDIATE');
      try {
        const value = work();
        if (value instanceof Promise) {
          value.catch(() => {});
          throw new GraceError(
            'BAD_INPUT',
            'store.transaction: expected work that ends at once, got an async function',
          );
        }
        db.exec('COMMIT');
        return value;
      } catch (error) {
        // A full disk has rolled back already; a second ROLLBACK would hide why.
        if (db.isTransaction) db.exec('ROLLBACK');
        throw storageError(error, stateDir);
      }
    },
    get<T>(key: string) {
      const row = open().prepare('SELECT value FROM kv WHERE key = ?').get(key) as { value: string } | undefined;
      return row === undefined ? undefined : (JSON.parse(row.value) as T);
    },
    set(key, value) {
      const text = toJson(key, value);
      const statement =
        'INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value';
      try {
        open().prepare(statement).run(key, text);
      } catch (error) {
        throw storageError(error, stateDir);
      }
    },
    delete(key) {
      open().prepare('DELETE FROM kv WHERE key = ?').run(key);
    },
    close() {
      opened?.close();
      opened = undefined;
    },
  };
  return store;
}

function toJson(key: string, value: unknown): string {
  let why = `${typeof value} has no form in JSON`;
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  throw new GraceError('BAD_INPUT', `store.set("${key}"): expected a value that JSON can say: ${why}`, { key });
}
