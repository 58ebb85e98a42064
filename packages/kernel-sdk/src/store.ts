import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A kernel's own SQLite file. WAL with full sync: what a statement has committed survives `kill -9` and power loss. */
export interface KernelStore {
  readonly path: string;
  /** The database itself, for kernels with tables of their own. */
  readonly db: DatabaseSync;
  /** Runs each migration once, in order, in a transaction; their number is kept in `user_version`. */
  migrate(migrations: readonly string[]): void;
  /** Runs `work` in one transaction; rolls back when it throws. */
  transaction<T>(work: () => T): T;
  /** Small state by key; values are JSON. */
  get<T>(key: string): T | undefined;
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
    const db = new DatabaseSync(path, { timeout: 2000 });
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
    );
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
      const { user_version: done } = db.prepare('PRAGMA user_version').get() as { user_version: number };
      for (let version = done; version < migrations.length; version++) {
        store.transaction(() => {
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
        db.exec('COMMIT');
        return value;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    get<T>(key: string) {
      const row = open().prepare('SELECT value FROM kv WHERE key = ?').get(key) as { value: string } | undefined;
      return row === undefined ? undefined : (JSON.parse(row.value) as T);
    },
    set(key, value) {
      open()
        .prepare('INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
        .run(key, JSON.stringify(value));
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
