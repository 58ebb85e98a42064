import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { storageError } from '../failure.ts';

/**
 * Replaces the file as a whole, durably: whoever reads it sees the old content or the new one, whenever the machine stops.
 * @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED`
 */
export async function writeDurably(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const folder = dirname(path);
  const draft = join(folder, `.${randomUUID()}.draft`);
  try {
    await writeSynced(draft, content, mode);
    await rename(draft, path);
    await syncFolder(folder);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw storageError(error, `${path} cannot be written`);
  }
}

/** A file with this content, on disk when it resolves; its name is not yet. */
export async function writeSynced(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in the folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes the folder and those above it; returns the folders whose names changed. */
export async function makeFolders(path: string): Promise<string[]> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return [];
  const changed: string[] = [];
  for (let at = path; at.length >= first.length; at = dirname(at)) changed.push(dirname(at));
  return changed;
}
