import { createHash } from 'node:crypto';
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
import { chmod, type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What the ledger asks of a file system. Tests put one behind it that tears, shortens and fails. */
export interface FileLayer {
  makeFolder(path: string): Promise<void>;
  list(folder: string): Promise<string[]>;
  /** `create` makes it, or empties it when it is there. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<LedgerFile>;
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Nobody is to write into it any more. */
  protect(path: string): Promise<void>;
  /** Which file has this name now, how large it is, and when it was last changed in any way; null when there is none. */
  look(path: string): Promise<FileLook | null>;
  /** Makes names that were created or removed in the folder durable. */
  syncFolder(path: string): Promise<void>;
  /** `open` with `create`, before it returns. */
  createNow(path: string): LedgerFile;
  /** `syncFolder`, before it returns. */
  syncFolderNow(path: string): void;
}

export interface FileLook {
  bytes: number;
  /** Device and inode: another one is another file. */
  identity: string;
  /** Of content or attributes; unlike the time of the last write, nobody can set it back. */
  changedMs: number;
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
  /** Of the file itself, whatever its name is now. */
  identity(): Promise<string>;
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
  rename: (from, to) => rename(from, to),
  protect: (path) => chmod(path, 0o400),
  async look(path) {
    try {
      const found = await stat(path);
      return { bytes: found.size, identity: identityOf(found), changedMs: found.ctimeMs };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  },
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

const identityOf = ({ dev, ino }: { dev: number; ino: number }): string => `${dev}:${ino}`;

function fileOf(handle: FileHandle): LedgerFile {
  return {
    write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
    read: async (into, offset, position) => (await handle.read(into, offset, into.length - offset, position)).bytesRead,
    truncate: (length) => handle.truncate(length),
    sync: () => handle.datasync(),
    size: async () => (await handle.stat()).size,
    identity: async () => identityOf(await handle.stat()),
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
    identity: async () => identityOf(await promisify(fstat)(fd)),
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

/** The whole of a small file; null when there is none. */
export async function readSmall(files: FileLayer, path: string, bytesMax: number): Promise<Buffer | null> {
  if ((await files.look(path)) === null) return null;
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.alloc(Math.min(await file.size(), bytesMax));
    return bytes.subarray(0, await readFully(file, bytes, 0));
  } finally {
    await file.close();
  }
}

/** Makes a small file, whole or not at all, durably but for its name. */
export async function writeSmall(files: FileLayer, path: string, content: string | Uint8Array): Promise<void> {
  const made = `${path}.new`;
  const file = await files.open(made, 'create');
  try {
    await writeAll(file, typeof content === 'string' ? Buffer.from(content) : content, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(made, path);
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

const COPY_BYTES = 256 * 1024;

/** The content of a file, piece by piece; each piece is used again for the next one. */
async function* piecesOf(file: LedgerFile): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  for (let position = 0; ; ) {
    const got = await readFully(file, buffer, position);
    if (got > 0) yield buffer.subarray(0, got);
    if (got < buffer.length) return;
    position += got;
  }
}

/** SHA-256 of the content, hex. */
export async function digestOfFile(files: FileLayer, path: string): Promise<string> {
  const file = await files.open(path, 'read');
  try {
    const hash = createHash('sha256');
    for await (const piece of piecesOf(file)) hash.update(piece);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

/** Copies the content, durably but for the name. */
export async function copyFile(files: FileLayer, from: string, to: string): Promise<void> {
  const source = await files.open(from, 'read');
  try {
    const target = await files.open(to, 'create');
    try {
      let position = 0;
      for await (const piece of piecesOf(source)) {
        await writeAll(target, piece, position);
        position += piece.length;
      }
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
