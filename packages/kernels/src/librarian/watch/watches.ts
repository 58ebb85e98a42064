import { GraceError } from '@grace/contracts';
import type { KernelLog } from '@grace/kernel-sdk';
import type { Filing } from '../filing.ts';
import type { Ingest } from '../ingest.ts';
import { typeOf } from '../intake/document-type.ts';
import { admitFolder, type FileLimits, isInside, readFileIn } from '../intake/file.ts';
import type { Library } from '../store/library.ts';
import { countFiles, type FolderWatch, watchFolder } from './folder-watch.ts';

const MAX_WATCHES = 50;

export interface WatchParts {
  library: Library;
  ingest: Ingest;
  filing: Filing;
  log: KernelLog;
  limits: FileLimits & { maxFiles: number };
  namespace: string;
}

/** The watched folders. They stand in the store, so a new incarnation watches them again and reads what changed meanwhile. */
export function createWatches({ library, ingest, filing, log, limits, namespace }: WatchParts) {
  const open = new Map<string, FolderWatch>();
  const opening = new Set<string>();
  let closed = false;

  const attach = async (folder: string): Promise<void> => {
    const leave = (path: string): Promise<void> => filing.remove(namespace, path);
    const watch = await watchFolder(
      folder,
      {
        async present(path) {
          const { path: place, text } = await readFileIn(path, limits, folder);
          await ingest({ namespace, place, text, type: typeOf(place) ?? 'txt' });
        },
        absent: leave,
        async looked(paths) {
          for (const place of library.placesUnder(namespace, `${folder}/`)) if (!paths.has(place)) await leave(place);
        },
      },
      log,
    );
    if (closed) await watch.close();
    else open.set(folder, watch);
  };

  const begin = async (folder: string): Promise<void> => {
    opening.add(folder);
    try {
      await attach(folder);
    } finally {
      opening.delete(folder);
    }
  };

  return {
    /** @throws GraceError `BAD_INPUT`, `NOT_FOUND`, `FORBIDDEN`, `TOO_LARGE`; `CONFLICT` when a watched folder holds it or is in it */
    async add(path: string): Promise<{ folder: string; files: number; known: boolean }> {
      const folder = await admitFolder(path, limits);
      const files = await countFiles(folder, limits.maxFiles);
      if (open.has(folder) || opening.has(folder)) return { folder, files, known: true };
      const near = [...open.keys(), ...opening].find((other) => isInside(other, folder) || isInside(folder, other));
      if (near !== undefined) {
        throw new GraceError(
          'CONFLICT',
          `${folder} overlaps with ${near}, which is watched already; unwatch that first`,
          { folder, near },
        );
      }
      if (open.size >= MAX_WATCHES) throw new GraceError('TOO_LARGE', `at most ${MAX_WATCHES} folders are watched`);
      library.addWatch(folder);
      await begin(folder);
      return { folder, files, known: false };
    },
    /** Its documents stay. @throws GraceError `NOT_FOUND` when the folder is not watched */
    async remove(path: string): Promise<{ folder: string }> {
      // The folder may be gone by now; then only its name is left to go by.
      const folder = await admitFolder(path, limits).catch(() => path);
      if (!library.removeWatch(folder)) {
        const watched = library.watches().join(', ') || 'none';
        throw new GraceError('NOT_FOUND', `${folder} is not watched; watched: ${watched}`, { folder });
      }
      await open.get(folder)?.close();
      open.delete(folder);
      return { folder };
    },
    /** Opens what the store names and is not open: after a start, and when a folder that was away is back. */
    async resume(): Promise<void> {
      for (const folder of library.watches()) {
        if (open.has(folder) || opening.has(folder)) continue;
        try {
          await admitFolder(folder, limits);
          await begin(folder);
        } catch (error) {
          log.warn('a folder cannot be watched at the moment', { folder, error: (error as Error).message });
        }
      }
    },
    status: () =>
      library.watches().map((folder) => ({ folder, open: open.has(folder), queued: open.get(folder)?.queued ?? 0 })),
    async close(): Promise<void> {
      closed = true;
      await Promise.all([...open.values()].map((watch) => watch.close()));
      open.clear();
    },
  };
}
