import {
  close,
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstat,
  fsyncSync,
  ftruncate,
  ftruncateSync,
  openSync,
  read,
  write,
  writeSync,
} from 'node:fs';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What the ledger asks of a file system. Tests put one behind it that tears, shortens and fails. */
export interface FileLayer {
  makeFolder(path: string): Promise<void>;
  list(folder: string): Promise<string[]>;
  /** `create` makes it, or empties it when it is there. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<LedgerFile>;
  remove(path: string): Promise<void>;
  /** Makes names that were created or removed in the folder durable. */
  syncFolder(path: string): Promise<void>;
  /** `open` with `create`, before it returns. */
  createNow(path: string): LedgerFile;
  /** `syncFolder`, before it returns. */
  syncFolderNow(path: string): void;
}

export interface LedgerFile {
  /** May write less than asked; returns how much. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** Fills `into` from its byte `offset` on; returns how much, 0 at the end of the file. */
  read(into: Uint8Array, offset: number, position: number): Promise<number>;
  truncate(length: number): Promise<void>;
  /** Makes content and length durable. */
  sync(): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
  /** The same before it returns, for writers that must not wait a turn. */
  readonly now: {
    write(bytes: Uint8Array, position: number): number;
    truncate(length: number): void;
    sync(): void;
  };
}

const FLAGS = { read: 'r', write: 'r+', create: 'w+' } as const;

export const diskFiles: FileLayer = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (folder) => readdir(folder),
  open: async (path, mode) => fileOf(await open(path, FLAGS[mode], 0o600)),
  remove: (path) => unlink(path),
  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  createNow: (path) => fileOfDescriptor(openSync(path, FLAGS.create, 0o600)),
  syncFolderNow(path) {
    const folder = openSync(path, FLAGS.read);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  },
};

function fileOf(handle: FileHandle): LedgerFile {
  return {
    write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
    read: async (into, offset, position) => (await handle.read(into, offset, into.length - offset, position)).bytesRead,
    truncate: (length) => handle.truncate(length),
    sync: () => handle.datasync(),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
    now: nowOf(handle.fd),
  };
}

/** A handle cannot be made of a descriptor, so this is the file of one that was opened synchronously. */
function fileOfDescriptor(fd: number): LedgerFile {
  return {
    write: async (bytes, position) => (await promisify(write)(fd, bytes, 0, bytes.length, position)).bytesWritten,
    read: async (into, offset, position) =>
      (await promisify(read)(fd, into, offset, into.length - offset, position)).bytesRead,
    truncate: (length) => promisify(ftruncate)(fd, length),
    sync: () => promisify(fdatasync)(fd),
    size: async () => (await promisify(fstat)(fd)).size,
    close: () => promisify(close)(fd),
    now: nowOf(fd),
  };
}

function nowOf(fd: number): LedgerFile['now'] {
  return {
    write: (bytes, position) => writeSync(fd, bytes, 0, bytes.length, position),
    truncate: (length) => ftruncateSync(fd, length),
    sync: () => fdatasyncSync(fd),
  };
}

/** Writes all of `bytes`, however many calls the file system needs for it. */
export async function writeAll(file: LedgerFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const wrote = await file.write(done === 0 ? bytes : bytes.subarray(done), position + done);
    if (wrote <= 0) throw Object.assign(new Error('the file system wrote nothing'), { code: 'EIO' });
    done += wrote;
  }
}

/** `writeAll`, before it returns. */
export function writeAllNow(file: LedgerFile, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) {
    const wrote = file.now.write(done === 0 ? bytes : bytes.subarray(done), position + done);
    if (wrote <= 0) throw Object.assign(new Error('the file system wrote nothing'), { code: 'EIO' });
    done += wrote;
  }
}

/** Up to `into.length` bytes from `position`; fewer only at the end of the file. */
export async function readFully(file: LedgerFile, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const got = await file.read(into, done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
