import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import { migrations, WORDS_TABLE } from './schema.ts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Opens the tables. The full text follows from the memories, so a missing or foreign one is made anew; the memories follow from nothing:
 * a damaged file is refused and stays as it is.
 * @throws GraceError `STORAGE_DAMAGED`
 */
export function openTables(store: KernelStore): void {
  try {
    const { db } = store;
    // Deleted content is overwritten with zeros.
    db.exec('PRAGMA secure_delete = ON');
    store.migrate(migrations);
    const words = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'memory_words'").get()?.['sql'];
    if (typeof words === 'string' && /USING fts5/i.test(words)) return;
    store.transaction(() => db.exec(`DROP TABLE IF EXISTS memory_words; ${WORDS_TABLE}`));
  } catch (error) {
    throw damage(error, store.path);
  }
}

/** An error of SQLite that says the file is damaged, as one that says what to do; any other as it is. */
export function damage(error: unknown, path: string): unknown {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (code !== 'ERR_SQLITE_ERROR' || typeof errcode !== 'number') return error;
  if (![SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode & 0xff)) return error;
  return new GraceError(
    'STORAGE_DAMAGED',
    `${path} is damaged (${(error as Error).message}) and was left as it is; restore a snapshot of it, or move it away to begin with an empty memory`,
    { path, errcode },
    { cause: error },
  );
}
