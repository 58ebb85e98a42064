import { diskFiles, type FileLayer, type LedgerFile } from '../src/files.ts';

export interface Faults {
  /** Calls so far, of every kind. */
  calls: number;
  /** The call that fails, counted from 1; 0 = none. */
  failAt: number;
  /** How many calls fail from `failAt` on. */
  failCount: number;
  errno: 'EIO' | 'ENOSPC';
  /** A write writes at most this many bytes a call, without an error. */
  shortBytes: number;
  /** Bytes that can still be written before the disk is full. */
  spaceBytes: number;
}

/** A disk, with failures. A failing write leaves half of its bytes behind, as a real one may. */
export function faultyFiles(
  start: Partial<Faults> = {},
  base: FileLayer = diskFiles,
): { files: FileLayer; faults: Faults } {
  const faults: Faults = {
    calls: 0,
    failAt: 0,
    failCount: 1,
    errno: 'EIO',
    shortBytes: Number.POSITIVE_INFINITY,
    spaceBytes: Number.POSITIVE_INFINITY,
    ...start,
  };
  const failure = (errno: string) => Object.assign(new Error(`${errno}: injected`), { code: errno });
  const fails = () => {
    faults.calls++;
    return faults.failAt > 0 && faults.calls >= faults.failAt && faults.calls < faults.failAt + faults.failCount;
  };
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (fails()) throw failure(faults.errno);
    return work();
  };
  const stepNow = <T>(work: () => T): T => {
    if (fails()) throw failure(faults.errno);
    return work();
  };
  const wrap = (file: LedgerFile): LedgerFile => ({
    async write(bytes, position) {
      if (fails()) {
        await file.write(bytes.subarray(0, bytes.length >> 1), position);
        throw failure(faults.errno);
      }
      const room = Math.min(bytes.length, faults.shortBytes, faults.spaceBytes);
      if (room === 0) throw failure('ENOSPC');
      // Taken before the wait: two writes at once must not share it.
      faults.spaceBytes -= room;
      return file.write(bytes.subarray(0, room), position);
    },
    read: (into, offset, position) => step(() => file.read(into, offset, position)),
    truncate: (length) => step(() => file.truncate(length)),
    sync: () => step(() => file.sync()),
    size: () => step(() => file.size()),
    identity: () => step(() => file.identity()),
    // The descriptor must go even if the call reports a failure, or the test itself leaks.
    close: async () => {
      const failed = fails();
      await file.close();
      if (failed) throw failure(faults.errno);
    },
    now: {
      write(bytes, position) {
        if (fails()) {
          file.now.write(bytes.subarray(0, bytes.length >> 1), position);
          throw failure(faults.errno);
        }
        const room = Math.min(bytes.length, faults.shortBytes, faults.spaceBytes);
        if (room === 0) throw failure('ENOSPC');
        const wrote = file.now.write(bytes.subarray(0, room), position);
        faults.spaceBytes -= wrote;
        return wrote;
      },
      truncate: (length) => stepNow(() => file.now.truncate(length)),
      sync: () => stepNow(() => file.now.sync()),
    },
  });
  const files: FileLayer = {
    makeFolder: (path) => step(() => base.makeFolder(path)),
    list: (folder) => step(() => base.list(folder)),
    open: (path, mode) => step(async () => wrap(await base.open(path, mode))),
    remove: (path) => step(() => base.remove(path)),
    rename: (from, to) => step(() => base.rename(from, to)),
    protect: (path) => step(() => base.protect(path)),
    look: (path) => step(() => base.look(path)),
    syncFolder: (path) => step(() => base.syncFolder(path)),
    createNow: (path) => stepNow(() => wrap(base.createNow(path))),
    syncFolderNow: (path) => stepNow(() => base.syncFolderNow(path)),
  };
  return { files, faults };
}
