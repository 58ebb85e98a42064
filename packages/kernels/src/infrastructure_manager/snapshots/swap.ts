import { chmod, copyFile, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import { syncFolder } from './chunks.ts';
import type { Item } from './document.ts';
import type { Shelf } from './shelf.ts';

export interface Target {
  item: Item;
  path: string;
}

/** Replaced files of this many restores are kept. */
const REPLACED_KEPT = 5;
const ALL_PAGES = 2 ** 31 - 1;
/** https://sqlite.org/rescode.html */
const SQLITE_NOTADB = 26;

/** Puts files in place, and what was there aside. */
export interface Swap {
  /**
   * Files: written beside their targets, synced, noted as ready in one transaction, renamed. Killed before the note, nothing has changed; after it, the
   * next start ends what was begun. Databases: written by SQLite in one transaction of its own.
   * @returns the folder in which the replaced files are
   */
  replace(targets: readonly Target[], name: string): Promise<string>;
  /** Ends what a killed life has begun. Answers the paths that were renamed, and those that were left as they are. */
  resume(): Promise<{ done: string[]; dropped: string[] }>;
}

export function createSwap(shelf: Shelf, store: KernelStore, replacedDir: string): Swap {
  const { db } = store;
  const beside = (path: string, name: string): string => join(dirname(path), `.${basename(path)}.${name}.restoring`);
  const forget = (): void => db.exec('DELETE FROM restoring');

  const removeStaged = async (path: string): Promise<void> => {
    for (const end of ['', '-wal', '-shm', '-journal']) await rm(path + end, { force: true });
  };

  const keepReplaced = async (targets: readonly Target[], name: string): Promise<string> => {
    const folder = join(replacedDir, `${Date.now().toString(36)}-${name}`);
    for (const { item, path } of targets) {
      const copy = join(folder, item.item);
      await mkdir(dirname(copy), { recursive: true, mode: 0o700 });
      for (const end of item.kind === 'database' ? ['', '-wal'] : ['']) {
        if ((await lstat(path + end).catch(() => undefined))?.isFile()) await copyFile(path + end, copy + end);
      }
    }
    const folders = (await readdir(replacedDir).catch(() => [])).sort();
    for (const old of folders.slice(0, -REPLACED_KEPT))
      await rm(join(replacedDir, old), { recursive: true, force: true });
    return folder;
  };

  return {
    async replace(targets, name) {
      const staged = targets.map((target) => ({ ...target, staged: beside(target.path, name) }));
      const replaced = await keepReplaced(targets, name);
      store.transaction(() => {
        const insert = db.prepare('INSERT OR REPLACE INTO restoring (path, staged, kind, ready) VALUES (?, ?, ?, 0)');
        for (const one of staged)
          insert.run(one.path, one.staged, one.item.group === 'state' ? 'state' : one.item.kind);
      });
      try {
        for (const one of staged) {
          await mkdir(dirname(one.path), { recursive: true, mode: 0o700 });
          await removeStaged(one.staged);
          await shelf.assemble(one.item, one.staged);
        }
        for (const one of staged)
          if (one.item.kind === 'database') await writeInto(one.path, one.staged, one.item.mode);
        for (const folder of new Set(staged.map(({ path }) => dirname(path)))) await syncFolder(folder);
      } catch (error) {
        for (const one of staged) await removeStaged(one.staged).catch(() => {});
        forget();
        throw error;
      }
      db.exec('UPDATE restoring SET ready = 1');
      for (const one of staged) {
        if (one.item.kind === 'database') await removeStaged(one.staged);
        else await rename(one.staged, one.path);
      }
      for (const folder of new Set(staged.map(({ path }) => dirname(path)))) await syncFolder(folder);
      forget();
      return replaced;
    },
    async resume() {
      const rows = db.prepare('SELECT path, staged, kind, ready FROM restoring').all() as {
        path: string;
        staged: string;
        kind: string;
        ready: number;
      }[];
      const [done, dropped]: string[][] = [[], []];
      for (const { path, staged, kind, ready } of rows) {
        const isThere = (await lstat(staged).catch(() => undefined))?.isFile() ?? false;
        // What a kernel keeps is not changed under it: it may run by now. Each of its files is the old one or the new one.
        if (ready === 1 && kind === 'file' && isThere) {
          await rename(staged, path);
          await syncFolder(dirname(path));
          done!.push(path);
        } else {
          await removeStaged(staged);
          if (isThere) dropped!.push(path);
        }
      }
      forget();
      return { done: done!, dropped: dropped! };
    },
  };
}

/**
 * All pages in one transaction: whoever has the file open sees the one content or the other, a crash leaves the one or the other, and damaged
 * pages are overwritten like sound ones. What SQLite does not take for a database at all is replaced as a file: nobody can have it open.
 * @throws GraceError `CONFLICT` when somebody holds the file
 */
async function writeInto(path: string, staged: string, mode: number): Promise<void> {
  const db = new DatabaseSync(staged, { readOnly: true });
  try {
    await backup(db, path, { rate: ALL_PAGES });
  } catch (error) {
    const { errcode, message } = error as { errcode?: number; message: string };
    if (errcode !== SQLITE_NOTADB)
      throw new GraceError('CONFLICT', `${path} could not be written, somebody may hold it: ${message}`, { path });
    // Its log first: it belongs to what goes.
    for (const end of ['-wal', '-shm', '-journal']) await rm(path + end, { force: true });
    await rename(staged, path);
  } finally {
    db.close();
  }
  await chmod(path, mode & 0o777);
}
