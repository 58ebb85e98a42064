import { statfsSync } from 'node:fs';
import { GraceError } from '@grace/contracts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

/** SQLite needs room for its log and its index; with less than this left, an input or output error is a full disk. */
const FULL_BYTES = 256 * 1024;

/** An error of SQLite as one of Grace's, where the disk is the cause; any other error as it is. */
export function storageError(error: unknown, dir: string): unknown {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (code !== 'ERR_SQLITE_ERROR' || typeof errcode !== 'number') return error;
  const primary = errcode & 0xff;
  const message = (error as Error).message;
  if (primary === SQLITE_FULL || (primary === SQLITE_IOERR && isFull(dir))) {
    return new GraceError('STORAGE_FULL', `the disk of ${dir} is full: ${message}`, { dir, errcode }, { cause: error });
  }
  if (primary === SQLITE_IOERR)
    return new GraceError('STORAGE_FAILED', `${dir}: ${message}`, { dir, errcode }, { cause: error });
  return error;
}

function isFull(dir: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}
