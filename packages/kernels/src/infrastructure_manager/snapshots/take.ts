import { createHash } from 'node:crypto';
import { rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { GraceError } from '@grace/contracts';
import { CHUNK_BYTES } from './chunks.ts';
import { type Item, isMeant, type Snapshot } from './document.ts';
import { type Found, openInside, type Place, refuseOutside, type Skipped, walk } from './places.ts';
import type { Shelf } from './shelf.ts';
import { type CheckSoundness, type Form, formOf } from './soundness.ts';

export interface Bounds {
  /** Files of one snapshot. */
  files: number;
  /** Of one file, and of one snapshot. */
  fileBytes: number;
  bytes: number;
  /** Room that must be left on the disk afterwards. */
  freeBytes: number;
}

/** `names`: only what these mean; empty: all. `without`: items that are left out. */
export interface Which {
  names: readonly string[];
  without: ReadonlySet<string>;
}

export interface Taken {
  snapshot: Snapshot;
  /** What it added on disk; what was there before is shared. */
  newBytes: number;
}

/** All pages in one step: a reading transaction of its own, so that writers neither wait nor are seen halfway. */
const ALL_PAGES = 2 ** 31 - 1;
/** A file that changes while it is read is read again this often. */
const ATTEMPTS = 4;
const SKIPPED_MAX = 200;

interface Source extends Found {
  kind: Item['kind'];
}

/**
 * Takes a snapshot of the places. What is broken is not taken, so that no snapshot is good that holds it.
 * @throws GraceError `NOT_FOUND` when nothing is meant, `TOO_LARGE`, `STORAGE_FULL` before anything is written
 */
export async function takeSnapshot(
  shelf: Shelf,
  places: readonly Place[],
  which: Which,
  {
    bounds,
    check,
    by,
    note,
    nowMs,
    signal,
  }: {
    bounds: Bounds;
    check: CheckSoundness;
    by: string;
    note: string;
    nowMs: number;
    signal: AbortSignal;
  },
): Promise<Taken> {
  const { found, skipped } = await select(places, which, bounds);
  const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
  await refuseFullDisk(shelf.tmp, bytes, bounds);
  const id = await shelf.nextId();
  const items: Item[] = [];
  let newBytes = 0;
  const copies: string[] = [];
  try {
    const sources = found.map((one): Source => ({ ...one, kind: kindOf(one) }));
    const copyOf = new Map<Source, string>();
    for (const source of sources) {
      if (source.kind !== 'database') continue;
      const copy = join(shelf.tmp, `${id}-${copies.length}.sqlite`);
      copies.push(copy);
      const trouble = await copyDatabase(source, copy);
      if (trouble === null) copyOf.set(source, copy);
      else skipped.push({ item: source.item, why: trouble });
    }
    const broken = await brokenOf(sources, copyOf, check);
    for (const source of sources) {
      signal.throwIfAborted();
      const why = broken.get(source);
      if (why !== undefined) skipped.push({ item: source.item, why: `it is corrupted: ${why}` });
      else if (source.kind === 'file' || copyOf.has(source)) {
        const stored = await store(shelf, source, copyOf.get(source));
        if (typeof stored === 'string') skipped.push({ item: source.item, why: stored });
        else {
          items.push(stored.item);
          newBytes += stored.newBytes;
        }
      }
    }
    if (items.length === 0)
      throw new GraceError(
        'NOT_FOUND',
        `nothing could be taken: ${skipped.map(({ item, why }) => `${item}: ${why}`).join('; ') || 'there are no files'}`.slice(
          0,
          2000,
        ),
      );
    const snapshot: Snapshot = {
      format: 1,
      id,
      takenMs: nowMs,
      by,
      note,
      items,
      skipped: skipped.slice(0, SKIPPED_MAX),
    };
    await shelf.add(snapshot);
    return { snapshot, newBytes };
  } finally {
    for (const copy of copies) for (const end of ['', '-wal', '-shm']) await rm(copy + end, { force: true });
  }
}

async function select(
  places: readonly Place[],
  { names, without }: Which,
  bounds: Bounds,
): Promise<{ found: Found[]; skipped: Skipped[] }> {
  const wanted = (item: string): boolean => names.length === 0 || names.some((name) => isMeant(item, name));
  const walks = await Promise.all(places.map((place) => walk(place, bounds.files)));
  const skipped = walks.flatMap((one) => one.skipped).filter(({ item }) => wanted(item));
  const found: Found[] = [];
  for (const one of walks.flatMap((all) => all.found).filter(({ item }) => wanted(item))) {
    if (without.has(one.item))
      skipped.push({ item: one.item, why: 'it differs from the last good snapshot, and was not named' });
    else if (one.bytes <= bounds.fileBytes) found.push(one);
    else skipped.push({ item: one.item, why: `it has ${one.bytes} bytes, more than ${bounds.fileBytes}` });
  }
  const bytes = found.reduce((sum, one) => sum + one.bytes, 0);
  if (found.length > bounds.files || bytes > bounds.bytes) {
    throw new GraceError(
      'TOO_LARGE',
      `${found.length} files of ${bytes} bytes; a snapshot has at most ${bounds.files} files and ${bounds.bytes} bytes`,
      { files: found.length, bytes },
    );
  }
  return { found, skipped };
}

/** Twice what is taken: databases are copied first, and stored then. */
async function refuseFullDisk(dir: string, bytes: number, { freeBytes }: Bounds): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  if (free - 2 * bytes < freeBytes) {
    throw new GraceError(
      'STORAGE_FULL',
      `${free} bytes are free; a snapshot of ${bytes} bytes needs twice that, and leaves ${freeBytes} free`,
      { free, bytes },
    );
  }
}

/**
 * By its name, and never by looking into it: a file that this process opens and closes loses the locks that SQLite holds on it in the same
 * process (https://sqlite.org/howtocorrupt.html, section 2.2), and a kernel of this cell may be writing.
 */
function kindOf({ path }: Found): Item['kind'] {
  return /\.(?:sqlite3?|db)$/.test(path) ? 'database' : 'file';
}

/** Why it could not be copied, or null. Off this thread: node:sqlite copies in libuv's pool. */
async function copyDatabase({ place, path }: Found, copy: string): Promise<string | null> {
  try {
    await refuseOutside(place, path);
    const db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    try {
      await backup(db, copy, { rate: ALL_PAGES });
    } finally {
      db.close();
    }
    return null;
  } catch (error) {
    return `SQLite could not copy it, somebody may hold it: ${(error as Error).message}`;
  }
}

async function brokenOf(
  sources: readonly Source[],
  copyOf: ReadonlyMap<Source, string>,
  check: CheckSoundness,
): Promise<Map<Source, string>> {
  const checked = sources.flatMap((source): { source: Source; path: string; form: Form }[] => {
    const copy = copyOf.get(source);
    if (copy !== undefined) return [{ source, path: copy, form: 'database' }];
    const form = source.kind === 'file' && source.place.group === 'config' ? formOf(source.path) : null;
    return form === null ? [] : [{ source, path: source.path, form }];
  });
  const answers = await check(checked.map(({ path, form }) => ({ path, form })));
  return new Map(checked.flatMap(({ source }, i) => (answers[i] == null ? [] : [[source, answers[i]]])));
}

/** Cuts a file, or the copy of a database, and stores the pieces; what it says when the file would not stand still. */
async function store(
  shelf: Shelf,
  { item, place, path, kind }: Source,
  copy: string | undefined,
): Promise<{ item: Item; newBytes: number } | string> {
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const before = await stat(path);
      const cut = await cutUp(shelf, copy === undefined ? place : { ...place, path: copy }, copy ?? path);
      const after = await stat(path);
      const stoodStill = before.mtimeMs === after.mtimeMs && before.size === after.size && after.size === cut.bytes;
      if (copy === undefined && !stoodStill) continue;
      const { newBytes, ...content } = cut;
      const { mode, mtimeMs } = before;
      return { item: { item, group: place.group, kind, mode: mode & 0o777, mtimeMs, ...content }, newBytes };
    }
    return `it changed each of the ${ATTEMPTS} times it was read`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new GraceError('STORAGE_FULL', `the disk became full at ${item}`, { item }, { cause: error });
    return (error as Error).message;
  }
}

async function cutUp(
  shelf: Shelf,
  place: Place,
  path: string,
): Promise<Pick<Item, 'bytes' | 'sha256' | 'chunks'> & { newBytes: number }> {
  const file = await openInside(place, path);
  try {
    const whole = createHash('sha256');
    const chunks: string[] = [];
    let [bytes, newBytes] = [0, 0];
    for (;;) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, bytes);
      if (bytesRead === 0) return { bytes, newBytes, chunks, sha256: whole.digest('hex') };
      const piece = buffer.subarray(0, bytesRead);
      whole.update(piece);
      const put = await shelf.chunks.put(piece);
      chunks.push(put.hash);
      newBytes += put.bytes;
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}
