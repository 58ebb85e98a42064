import { GraceError } from '@grace/contracts';
import type { KernelLog } from '@grace/kernel-sdk';
import type { Filing } from '../filing.ts';
import { admitFolder, type FileLimits, isInside } from '../intake/file.ts';
import type { Reading } from '../reading.ts';
import type { Failures } from '../store/failures.ts';
import type { Library } from '../store/library.ts';
import { countFiles, type FolderEvents, type FolderWatch, watchFolder } from './folder-watch.ts';

const MAX_WATCHES = 50;
/** Paths of one folder that may wait; what changes beyond is found by a scan. */
const MAX_QUEUED = 1000;
/** How soon a folder that went away is looked for. */
const AWAY_MS = 1000;

export interface WatchParts {
  library: Library;
  reading: Reading;
  failures: Failures;
  filing: Filing;
  log: KernelLog;
  limits: FileLimits & { maxFiles: number };
  signal: AbortSignal;
  namespace: string;
}

/** The watched folders. They stand in the store, so a new incarnation watches them again and reads what changed meanwhile. */
export function createWatches({ library, reading, failures, filing, log, limits, namespace, signal }: WatchParts) {
  const open = new Map<string, FolderWatch>();
  const opening = new Set<string>();
  let closed = false;

  const attach = async (folder: string): Promise<void> => {
    let watch: FolderWatch | undefined;
    let isGone = false;
    const events: FolderEvents = {
      async present(path, stamp) {
        // Unchanged since it was read, or since it could not be.
        if (stamp !== '' && [library.stampAt(namespace, path), failures.stampAt(namespace, path)].includes(stamp))
          return;
        await reading.file(path, { folder, stamp });
      },
      async absent(path) {
        failures.remove(namespace, path);
        await filing.remove(namespace, path);
      },
      kept: (prefix) => [...library.placesUnder(namespace, prefix), ...failures.under(namespace, prefix)],
      gone() {
        if (isGone || closed) return;
        isGone = true;
        log.warn('a watched folder is away; its documents stay', { folder });
        if (open.get(folder) === watch) open.delete(folder);
        void watch?.close();
        lookAgain();
      },
    };
    watch = await watchFolder(folder, events, log, { maxFiles: limits.maxFiles, maxQueued: MAX_QUEUED });
    if (closed || isGone) await watch.close();
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

  let lookingAgain: NodeJS.Timeout | undefined;
  signal.addEventListener('abort', () => clearTimeout(lookingAgain), { once: true });
  const lookAgain = (): void => {
    if (closed || signal.aborted) return;
    lookingAgain ??= setTimeout(() => {
      lookingAgain = undefined;
      void resume();
    }, AWAY_MS);
  };
  /** Opens what the store names and is not open: after a start, and when a folder that was away is back. */
  const resume = async (): Promise<void> => {
    for (const folder of library.watches()) {
      if (closed || open.has(folder) || opening.has(folder)) continue;
      try {
        await admitFolder(folder, limits);
        await begin(folder);
      } catch (error) {
        log.debug('a folder cannot be watched at the moment', { folder, error: (error as Error).message });
        lookAgain();
      }
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
    resume,
    /** Looks through all of them again, for what no event told. */
    scan: (): void => open.forEach((watch) => void watch.scan()),
    status: () =>
      library.watches().map((folder) => ({ folder, open: open.has(folder), queued: open.get(folder)?.queued ?? 0 })),
    async close(): Promise<void> {
      closed = true;
      await Promise.all([...open.values()].map((watch) => watch.close()));
      open.clear();
    },
  };
}
