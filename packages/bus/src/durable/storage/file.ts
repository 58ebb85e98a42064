import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { GraceError } from '@grace/contracts';

export const FILE = 'bus.sqlite';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;
/** SQLite needs room for its log; with less than this left, an input or output error is a full disk. */
const FULL_BYTES = 256 * 1024;

const PAGE_BYTES = 4096;
/** Beyond what messages may fill. */
const SPARE_PAGES = 1024;

const TABLES = `
  CREATE TABLE IF NOT EXISTS consumers (number INTEGER PRIMARY KEY, description TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY, line INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL,
    expires INTEGER, subject TEXT, sums TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
  CREATE UNIQUE INDEX IF NOT EXISTS block_places ON blocks (line, first);
  CREATE INDEX IF NOT EXISTS block_expiry ON blocks (expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS marks (
    line INTEGER NOT NULL, first INTEGER NOT NULL, done BLOB NOT NULL, sums TEXT NOT NULL, failures TEXT, PRIMARY KEY (line, first)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS lines (line INTEGER PRIMARY KEY, sent INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS ids (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, ids TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY, consumer TEXT NOT NULL, subject TEXT NOT NULL, died INTEGER NOT NULL, attempts INTEGER NOT NULL,
    reason TEXT NOT NULL, error TEXT, bytes INTEGER NOT NULL, body BLOB NOT NULL
  );
`;

/**
 * The file, with full sync: what a transaction has committed survives `kill -9` and power loss. One owner at a time: a second waits until the
 * first is gone.
 * @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED`
 */
export function openFile(dir: string, maxBytes: number): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(join(dir, FILE), { timeout: 5000 });
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    db.exec(`PRAGMA journal_size_limit = ${16 * 1024 ** 2}; PRAGMA cache_size = -8000;`);
    // Settling needs room too, so that a file that is full for messages can become empty.
    db.exec(`PRAGMA max_page_count = ${Math.ceil((maxBytes * 1.1) / PAGE_BYTES) + SPARE_PAGES}`);
    db.exec(TABLES);
    return db;
  } catch (error) {
    db?.close();
    throw storageError(error, dir);
  }
}

export interface Gauge {
  /** Of the file, without its log. */
  fileBytes(): number;
  /** Of these, what holds something. */
  usedBytes(): number;
}

export function createGauge(db: DatabaseSync): Gauge {
  const pages = db.prepare('PRAGMA page_count');
  const free = db.prepare('PRAGMA freelist_count');
  const fileBytes = (): number => (pages.get() as { page_count: number }).page_count * PAGE_BYTES;
  return {
    fileBytes,
    usedBytes: () => fileBytes() - (free.get() as { freelist_count: number }).freelist_count * PAGE_BYTES,
  };
}

/** An error of SQLite with a code of the registry. */
export function storageError(error: unknown, dir: string): GraceError {
  if (error instanceof GraceError) return error;
  const { errcode = 0, message } = error as { errcode?: number; message: string };
  const primary = errcode & 0xff;
  const full = primary === SQLITE_FULL || (primary === SQLITE_IOERR && isFull(dir));
  return full
    ? new GraceError('STORAGE_FULL', `no room for durable messages in ${dir}: ${message}`, { dir, errcode })
    : new GraceError('STORAGE_FAILED', `durable messages cannot be kept in ${dir}: ${message}`, { dir, errcode });
}

function isFull(dir: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}
