import { lstat, opendir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { KernelLog } from '@grace/kernel-sdk';
import { typeOf } from '../intake/document-type.ts';
import { stampOf } from '../intake/file.ts';
import { createQueue } from './queue.ts';

export interface FolderEvents {
  /** A file is there; `stamp` tells whether it is the one that was read. */
  present(path: string, stamp: string): Promise<void>;
  absent(path: string): Promise<void>;
  /** What is kept from inside a folder whose path begins so. */
  kept(prefix: string): string[];
  /** The folder itself is away, or another one stands in its place: this watch is over. */
  gone(): void;
}

export interface FolderWatch {
  /** Files waiting to be looked at. */
  readonly queued: number;
  /** Looks through the whole folder again. */
  scan(): void;
  close(): Promise<void>;
}

export interface WatchBounds {
  maxFiles: number;
  /** Paths that may wait; of what changes beyond, the folder is looked through again when the queue is empty. */
  maxQueued: number;
}

/** Hidden files and folders, and what package managers fetched, are not documents. */
export function isSkipped(folder: string, path: string): boolean {
  return path !== folder && (basename(path).startsWith('.') || basename(path) === 'node_modules');
}

/** The readable files of a folder. Links are not followed; what cannot be opened is passed over. */
export async function* filesIn(folder: string): AsyncGenerator<string> {
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    // A folder that cannot be read has nothing to watch.
    const entries = await opendir(next).catch(() => undefined);
    if (!entries) continue;
    for await (const entry of entries) {
      const path = join(next, entry.name);
      if (isSkipped(folder, path)) continue;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() && typeOf(path) !== undefined) yield path;
    }
  }
}

/**
 * Counts the readable files, no further than the bound.
 * @throws GraceError `TOO_LARGE` when the folder holds more
 */
export async function countFiles(folder: string, maxFiles: number): Promise<number> {
  let count = 0;
  for await (const _ of filesIn(folder)) {
    if (++count <= maxFiles) continue;
    throw new GraceError('TOO_LARGE', `${folder} holds more than ${maxFiles} documents; watch a part of it`, {
      folder,
      maxFiles,
    });
  }
  return count;
}

/**
 * Reports the files of a folder: first those that are there, then each change. What it says of a path is what stands there when it looks,
 * not what an event said: events come late, twice, or not at all.
 */
export async function watchFolder(
  folder: string,
  events: FolderEvents,
  log: KernelLog,
  bounds: WatchBounds,
): Promise<FolderWatch> {
  const { watch } = await import('chokidar');
  const itself = await identity(folder);
  let closed = false;
  let isReady = false;

  /** Of a folder that is away nothing is said about its files: they are where it is. */
  const isHere = async (): Promise<boolean> => {
    if (closed) return false;
    if (itself !== undefined && (await identity(folder)) === itself) return true;
    if (!closed) events.gone();
    return false;
  };
  const look = async (path: string): Promise<void> => {
    const found = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => error.code ?? '');
    if (typeof found === 'string') {
      // What may not be looked at is there for all we know.
      if (['ENOENT', 'ENOTDIR'].includes(found) && (await isHere())) await events.absent(path);
    } else if (found.isFile() && typeOf(path) !== undefined) await events.present(path, stampOf(found));
    else if (!found.isDirectory()) await events.absent(path);
  };
  const scan = async (): Promise<void> => {
    let count = 0;
    for await (const path of filesIn(folder)) {
      if (closed) return;
      if (++count > bounds.maxFiles) {
        log.warn('a watched folder holds more than may be read of it', { folder, maxFiles: bounds.maxFiles });
        break;
      }
      await queue.add(path);
    }
    for (const path of events.kept(`${folder}/`)) await queue.add(path);
    // Where nothing is kept, nobody else would notice.
    await isHere();
  };
  const queue = createQueue({
    ...{ look, scan, maxQueued: bounds.maxQueued },
    failed: (path, error) => {
      const { code, message } = error as { code?: string; message: string };
      log.warn('a watched file was not filed', { path, code, error: message });
    },
  });

  const watcher = watch(folder, {
    followSymlinks: false,
    ignoreInitial: true,
    // Links are told of too: one may stand where a file stood.
    ignored: (path, stats) => isSkipped(folder, path) || (stats?.isFile() === true && typeOf(path) === undefined),
  });
  for (const change of ['add', 'change', 'unlink'] as const) watcher.on(change, queue.changed);
  watcher.on('unlinkDir', (path) => {
    if (path === folder) void isHere().then((here) => here && queue.rescan());
    else for (const inside of events.kept(`${path}/`)) queue.changed(inside);
  });
  watcher.on('error', (error) => {
    // Too many folders for the system to watch, for one: what it does not tell is found by looking.
    log.warn('watching a folder failed', { folder, error: String(error) });
    queue.rescan();
  });
  // Not before: what changes while the watches are set up is found by this scan.
  watcher.on('ready', () => {
    isReady = true;
    queue.rescan();
  });
  return {
    get queued() {
      return queue.length + (isReady ? 0 : 1);
    },
    scan: queue.rescan,
    async close() {
      closed = true;
      await watcher.close();
      await queue.close();
    },
  };
}

/** Another folder of the same name is another folder. */
async function identity(folder: string): Promise<string | undefined> {
  const found = await stat(folder, { bigint: true }).catch(() => undefined);
  return found?.isDirectory() ? `${found.dev}.${found.ino}` : undefined;
}
