import { GraceError } from '@grace/contracts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** An error of the file system with a code of the registry: `STORAGE_FULL` when space ran out, else `STORAGE_FAILED`. */
export function storageError(cause: unknown, doing: string): GraceError {
  if (cause instanceof GraceError) return cause;
  const errno = (cause as { code?: unknown } | null)?.code;
  const message = `${doing}: ${cause instanceof Error ? cause.message : String(cause)}`;
  if (typeof errno !== 'string') return new GraceError('INTERNAL', message, {}, { cause });
  return new GraceError(FULL.has(errno) ? 'STORAGE_FULL' : 'STORAGE_FAILED', message, { errno }, { cause });
}

/** A flaw that nobody repairs silently. */
export function corrupt(place: {
  segment: string;
  offset: number;
  seq?: number;
  message: string;
  dir: string;
}): GraceError {
  const { segment, offset, seq, message, dir } = place;
  const at = seq === undefined ? '' : `, record ${seq}`;
  return new GraceError('LEDGER_CORRUPT', `${segment}, byte ${offset}${at}: ${message}`, { dir, segment, offset, seq });
}
