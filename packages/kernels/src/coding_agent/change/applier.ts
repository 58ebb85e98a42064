import { constants } from 'node:fs';
import { type FileHandle, open, readlink, realpath, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { hash } from '../scan/finding.ts';
import { readFilePath } from '../tree/place.ts';

/** A file that is to be one text and is another now. */
export interface Swap {
  file: string;
  fromHash: string;
  toHash: string;
  /** Makes the one of the other. */
  to: (former: string) => string;
}

interface Staged extends Swap {
  folder: Folder;
  name: string;
  temporary: string;
  former: Buffer;
  stat: Owner;
}

interface Owner {
  mode: number;
  uid: number;
  gid: number;
}

/** A folder that was opened; what is done in it is done there, wherever its name leads by then. */
interface Folder {
  handle: FileHandle;
  /** In front of a name. */
  path: string;
}

/**
 * Puts all files of a change in place, or none. Each is written beside its target first and synced; then all are renamed. Folders are opened
 * once and must be where their path says, so a link that is put in the way leads nowhere. What was renamed before something went wrong is
 * taken back.
 * @throws GraceError `CONFLICT` for a file that is not what it was, `FORBIDDEN` for one behind a link or outside, `STORAGE_FAILED`
 */
export async function swapFiles(
  root: string,
  mark: string,
  swaps: readonly Swap[],
  onRenamed?: () => void,
): Promise<void> {
  const folders = new Map<string, Folder>();
  const staged: Staged[] = [];
  const renamed: Staged[] = [];
  try {
    for (const swap of swaps) {
      const path = join(root, readFilePath(swap.file, 'file'));
      const folder = folders.get(dirname(path)) ?? (await openFolder(dirname(path), swap.file));
      folders.set(dirname(path), folder);
      staged.push(await stage(folder, basename(path), mark, swap));
    }
    for (const one of staged) {
      await expectHash(one.folder, one.name, one);
      await rename(one.folder.path + one.temporary, one.folder.path + one.name);
      renamed.push(one);
      onRenamed?.();
    }
    for (const { handle } of folders.values()) await handle.sync();
  } catch (error) {
    for (const one of renamed.reverse()) await takeBack(one);
    throw error instanceof GraceError ? error : storageFailed(error);
  } finally {
    for (const { folder, temporary } of staged) await unlink(folder.path + temporary).catch(() => {});
    for (const { handle } of folders.values()) await handle.close();
  }
}

/** The hash of a file of the tree as it is now; null: it is not there, or is no regular file. */
export async function hashNow(root: string, file: string): Promise<string | null> {
  const path = join(root, readFilePath(file, 'file'));
  let folder: Folder | undefined;
  try {
    folder = await openFolder(dirname(path), file);
    return hash((await readRegular(folder, basename(path), file)).bytes);
  } catch {
    return null;
  } finally {
    await folder?.handle.close();
  }
}

/** Removes what a life before has left beside the targets of a change. */
export async function sweep(root: string, mark: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    const path = join(root, file);
    const folder = await openFolder(dirname(path), file).catch(() => null);
    if (!folder) continue;
    await unlink(folder.path + temporaryName(basename(path), mark)).catch(() => {});
    await folder.handle.close();
  }
}

async function openFolder(path: string, file: string): Promise<Folder> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP' || code === 'ENOTDIR') throw linked(file);
    if (code === 'ENOENT') throw new GraceError('CONFLICT', `the folder of ${file} is gone`, { file });
    throw storageFailed(error);
  }
  // Where the kernel says that it is. Elsewhere than on Linux, the name has to do.
  const own = `/proc/self/fd/${handle.fd}`;
  const isHere = await readlink(own).then(
    (real) => (real === path ? `${own}/` : null),
    async () => ((await realpath(path)) === path ? `${path}/` : null),
  );
  if (isHere !== null) return { handle, path: isHere };
  await handle.close();
  throw linked(file);
}

async function readRegular(folder: Folder, name: string, file: string) {
  let handle: FileHandle;
  try {
    handle = await open(folder.path + name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw linked(file);
    if (code === 'ENOENT') throw new GraceError('CONFLICT', `${file} is gone`, { file });
    throw storageFailed(error);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new GraceError('FORBIDDEN', `${file} is no regular file`, { file });
    return { bytes: await handle.readFile(), stat };
  } finally {
    await handle.close();
  }
}

async function expectHash(folder: Folder, name: string, { file, fromHash }: Swap) {
  const found = await readRegular(folder, name, file);
  if (hash(found.bytes) !== fromHash)
    throw new GraceError('CONFLICT', `${file} has changed since; nothing was done`, { file, expected: fromHash });
  return found;
}

async function stage(folder: Folder, name: string, mark: string, swap: Swap): Promise<Staged> {
  const { stat, bytes } = await expectHash(folder, name, swap);
  const staged: Staged = { ...swap, folder, name, temporary: temporaryName(name, mark), former: bytes, stat };
  const made = Buffer.from(swap.to(bytes.toString('utf8')), 'utf8');
  if (hash(made) !== swap.toHash)
    throw new GraceError('CONFLICT', `${swap.file} would not become what was verified; nothing was done`, {
      file: swap.file,
      expected: swap.toHash,
    });
  await write(folder.path + staged.temporary, made, stat);
  return staged;
}

/** Unless somebody else has changed it meanwhile: then it is theirs. */
async function takeBack({ folder, name, file, temporary, former, stat, toHash }: Staged): Promise<void> {
  const found = await readRegular(folder, name, file).catch(() => null);
  if (!found || hash(found.bytes) !== toHash) return;
  await write(folder.path + temporary, former, stat);
  await rename(folder.path + temporary, folder.path + name);
}

async function write(path: string, bytes: Buffer, { mode, uid, gid }: Owner): Promise<void> {
  await unlink(path).catch(() => {});
  const handle = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    await handle.writeFile(bytes);
    // Only its owner or root may; otherwise it belongs to whom Grace runs as.
    await handle.chown(uid, gid).catch(() => {});
    await handle.chmod(mode & 0o7777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function temporaryName(name: string, mark: string): string {
  return `.${name}.${mark}.grace-new`;
}

function linked(file: string): GraceError {
  return new GraceError('FORBIDDEN', `${file} lies behind a link; links are not followed`, { file });
}

function storageFailed(error: unknown): GraceError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new GraceError(code === 'ENOSPC' ? 'STORAGE_FULL' : 'STORAGE_FAILED', message, {}, { cause: error });
}
