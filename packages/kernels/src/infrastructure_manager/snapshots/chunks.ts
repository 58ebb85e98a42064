import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Content is cut at this size, so that a large file that changes in one place is stored again in one place. */
export const CHUNK_BYTES = 1024 * 1024;

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** Pieces of files under the hash of what is in them: what is the same is there once, and what is not what its name says is seen. */
export interface Chunks {
  /** Stores, and reads back what was stored. `bytes`: what it added on disk. A damaged piece of the same name is replaced. */
  put(bytes: Uint8Array): Promise<{ hash: string; bytes: number }>;
  /** @throws Error when it is missing or its bytes are not those of its name */
  read(hash: string): Promise<Buffer>;
  /** Makes the names of all that was put durable. */
  settle(): Promise<void>;
  /** Removes what `wanted` does not name. Answers the bytes that were freed. */
  sweep(wanted: ReadonlySet<string>): Promise<{ removed: number; bytes: number }>;
  size(): Promise<{ chunks: number; bytes: number }>;
}

export function createChunks(dir: string, tmp: string): Chunks {
  const touched = new Set<string>();
  const folderOf = (hash: string): string => join(dir, hash.slice(0, 2));
  const pathOf = (hash: string): string => join(folderOf(hash), hash);

  const read = async (hash: string): Promise<Buffer> => {
    const bytes = await readFile(pathOf(hash)).catch((error: NodeJS.ErrnoException) => {
      throw new Error(
        `chunk ${hash.slice(0, 12)} ${error.code === 'ENOENT' ? 'is missing' : `cannot be read: ${error.message}`}`,
      );
    });
    const seen = sha256(bytes);
    if (seen !== hash)
      throw new Error(`chunk ${hash.slice(0, 12)} is damaged: its ${bytes.length} bytes hash to ${seen.slice(0, 12)}`);
    return bytes;
  };

  const all = async (): Promise<string[]> => {
    const folders = await readdir(dir).catch(() => []);
    const names = await Promise.all(folders.map((folder) => readdir(join(dir, folder)).catch(() => [])));
    return names.flat();
  };

  return {
    read,
    async put(bytes) {
      const hash = sha256(bytes);
      const isThere = await read(hash).then(
        () => true,
        () => false,
      );
      if (isThere) return { hash, bytes: 0 };
      await mkdir(folderOf(hash), { recursive: true, mode: 0o700 });
      await writeDurably(pathOf(hash), bytes, tmp);
      touched.add(folderOf(hash));
      await read(hash);
      return { hash, bytes: bytes.length };
    },
    async settle() {
      for (const folder of [...touched, dir]) await syncFolder(folder);
      touched.clear();
    },
    async sweep(wanted) {
      let [removed, bytes] = [0, 0];
      for (const hash of await all()) {
        if (wanted.has(hash)) continue;
        bytes += (await stat(pathOf(hash)).catch(() => ({ size: 0 }))).size;
        await rm(pathOf(hash), { force: true });
        removed += 1;
      }
      return { removed, bytes };
    },
    async size() {
      const hashes = await all();
      const sizes = await Promise.all(hashes.map((hash) => stat(pathOf(hash)).catch(() => ({ size: 0 }))));
      return { chunks: hashes.length, bytes: sizes.reduce((sum, { size }) => sum + size, 0) };
    },
  };
}

/** Written beside, synced, renamed: at no moment is there a part of it under its name. The folder is synced by who needs that. */
export async function writeDurably(path: string, bytes: Uint8Array | string, tmp: string): Promise<void> {
  const beside = join(tmp, randomUUID());
  try {
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
