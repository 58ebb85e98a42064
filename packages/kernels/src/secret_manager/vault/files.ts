import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GraceError } from '@grace/contracts';

/** The steps by which the vault changes the disk. Tests put one behind it that ends the process before the n-th. */
export interface FileSteps {
  /** Null when there is no such file. */
  read(path: string): Promise<Buffer | null>;
  /** Makes it with mode 0600, or empties it, and writes all. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  sync(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes names that changed in the folder durable. */
  syncFolder(path: string): Promise<void>;
  remove(path: string): Promise<void>;
}

export const fileSteps: FileSteps = {
  read: (path) =>
    readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    }),
  async write(path, bytes) {
    // Not through a link that somebody has put there.
    const file = await open(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await file.chmod(0o600);
      await file.writeFile(bytes);
    } finally {
      await file.close();
    }
  },
  sync: (path) => synced(path, 'r+'),
  rename,
  syncFolder: (path) => synced(path, 'r'),
  remove: (path) => rm(path, { force: true }),
};

/** Replaces a file whole: a reader, and whoever comes after a crash, finds the old one or the new one. */
export async function replaceFile(files: FileSteps, path: string, bytes: Uint8Array): Promise<void> {
  const fresh = `${path}.new`;
  try {
    await files.write(fresh, bytes);
    await files.sync(fresh);
    await files.rename(fresh, path);
    await files.syncFolder(dirname(path));
  } catch (error) {
    await files.remove(fresh).catch(() => {});
    throw storageFailure(error, path);
  }
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

async function synced(path: string, flags: string): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function storageFailure(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new GraceError('STORAGE_FULL', `${path} cannot be written: the disk is full`, { path }, { cause: error });
  return new GraceError(
    'STORAGE_FAILED',
    `${path} cannot be written: ${code ?? String(error)}`,
    { path },
    { cause: error },
  );
}
