import { opendir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { KernelLog } from '@grace/kernel-sdk';
import { typeOf } from '../intake/document-type.ts';

export interface FolderEvents {
  /** A file is there or has changed. */
  present(path: string): Promise<void>;
  absent(path: string): Promise<void>;
  /** The first look at the folder is over; these files are in it. */
  looked(paths: ReadonlySet<string>): Promise<void>;
}

export interface FolderWatch {
  /** Files waiting to be read. */
  readonly queued: number;
  close(): Promise<void>;
}

/** Hidden files and folders, and what package managers fetched, are not documents. */
export function isSkipped(folder: string, path: string): boolean {
  return path !== folder && (basename(path).startsWith('.') || basename(path) === 'node_modules');
}

/**
 * Counts the readable files, no further than the bound.
 * @throws GraceError `TOO_LARGE` when the folder holds more
 */
export async function countFiles(folder: string, maxFiles: number): Promise<number> {
  let count = 0;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    // A folder that cannot be read has nothing to watch.
    const entries = await opendir(next).catch(() => undefined);
    if (!entries) continue;
    for await (const entry of entries) {
      const path = join(next, entry.name);
      if (isSkipped(folder, path)) continue;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() && typeOf(path) !== undefined) count++;
      if (count > maxFiles) {
        throw new GraceError('TOO_LARGE', `${folder} holds more than ${maxFiles} documents; watch a part of it`, {
          folder,
          maxFiles,
        });
      }
    }
  }
  return count;
}

/** Reports the files of a folder, one at a time: first those that are there, then each change. Links are not followed. */
export async function watchFolder(folder: string, events: FolderEvents, log: KernelLog): Promise<FolderWatch> {
  const { watch } = await import('chokidar');
  // A path stands in the queue once, however often it changes while it waits.
  const queue = new Set<string>();
  const there = new Set<string>();
  let closed = false;
  let looking = true;
  let work: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    for (const path of queue) {
      queue.delete(path);
      if (closed) return;
      try {
        await (there.has(path) ? events.present(path) : events.absent(path));
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        log.warn('a watched file was not filed', { path, code, error: message });
      }
    }
  };
  const enqueue = (path: string): void => {
    queue.add(path);
    work ??= drain().finally(() => {
      work = undefined;
      if (queue.size > 0 && !closed) enqueue(queue.values().next().value!);
    });
  };

  const watcher = watch(folder, {
    followSymlinks: false,
    ignored: (path, stats) =>
      isSkipped(folder, path) ||
      stats?.isSymbolicLink() === true ||
      (stats?.isFile() === true && typeOf(path) === undefined),
  });
  for (const change of ['add', 'change'] as const) {
    watcher.on(change, (path) => {
      there.add(path);
      enqueue(path);
    });
  }
  watcher.on('unlink', (path) => {
    there.delete(path);
    enqueue(path);
  });
  watcher.on('error', (error) => log.warn('watching a folder failed', { folder, error: String(error) }));
  watcher.on('ready', () => {
    looking = false;
    events.looked(new Set(there)).catch((error: unknown) => {
      log.warn('a watched folder was not compared', { folder, error: String(error) });
    });
  });
  return {
    get queued() {
      return queue.size + (work ? 1 : 0) + (looking ? 1 : 0);
    },
    async close() {
      closed = true;
      await watcher.close();
      await work;
    },
  };
}
