import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import { type Chunks, createChunks, syncFolder, writeDurably } from './chunks.ts';
import { type Item, isMeant, numberOf, readDocument, type Snapshot, writeDocument } from './document.ts';
import { outdated } from './retention.ts';

export interface Entry {
  id: string;
  number: number;
  takenMs: number;
  /** Null: its manifest cannot be read. */
  snapshot: Snapshot | null;
  /** Why it is never restored from; null: nothing is wrong with it as far as is known. */
  bad: string | null;
}

interface Row {
  number: number;
  takenMs: number;
  bad: string | null;
}

export interface Freed {
  removed: string[];
  chunks: number;
  bytes: number;
}

/** All snapshots there are: a manifest each, the pieces they share, and what is known to be wrong with them. */
export interface Shelf {
  readonly chunks: Chunks;
  /** Where files lie while they are made; on the same disk, emptied at the start. */
  readonly tmp: string;
  /** In the order they were taken. Each manifest is read from disk. */
  list(): Promise<Entry[]>;
  /** What `list` answered last. */
  last(): readonly Entry[];
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  entry(id: string): Promise<Entry>;
  nextId(): Promise<string>;
  add(snapshot: Snapshot): Promise<void>;
  mark(id: string, bad: string | null): void;
  /** Reads every byte of a snapshot. Null: all is as it was written. Marks it, or takes the mark off. */
  verify(entry: Entry): Promise<string | null>;
  /** The newest good snapshot that has this item, or something below it. */
  lastGood(name: string): Promise<Snapshot | null>;
  /** Puts an item together under this path; every piece and the whole are checked on the way. */
  assemble(item: Item, path: string): Promise<void>;
  /** Removes outdated snapshots, then what no snapshot needs. */
  prune(rule: { keep: number; maxAgeMs: number }, nowMs: number): Promise<Freed>;
}

const MANIFEST = /^snap-\d+\.json$/;
/** Manifests are read into memory: at 10,000 files of a gigabyte each this is enough, and a hostile one is not read. */
const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;
const LAST = 'snapshot-number';

/** @param dir a folder of its own; made when it is not there */
export async function openShelf(dir: string, store: KernelStore): Promise<Shelf> {
  const tmp = join(dir, 'tmp');
  const manifests = join(dir, 'manifests');
  await rm(tmp, { recursive: true, force: true });
  for (const folder of [tmp, manifests, join(dir, 'chunks')]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const chunks = createChunks(join(dir, 'chunks'), tmp);
  const { db } = store;
  const insert = db.prepare('INSERT INTO snapshots (number, taken_ms) VALUES (?, ?) ON CONFLICT (number) DO NOTHING');
  const setBad = db.prepare('UPDATE snapshots SET bad = ? WHERE number = ?');
  const fileOf = (id: string): string => join(manifests, `${id}.json`);

  const read = async ({ number, takenMs, bad }: Row): Promise<Entry> => {
    const id = `snap-${number}`;
    try {
      const file = await open(fileOf(id), 'r');
      try {
        const { size } = await file.stat();
        if (size > MANIFEST_BYTES_MAX) throw new Error(`the manifest has ${size} bytes`);
        return { id, number, takenMs, snapshot: readDocument(await file.readFile('utf8'), id), bad };
      } finally {
        await file.close();
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { id, number, takenMs, snapshot: null, bad: code === 'ENOENT' ? 'the manifest is gone' : message };
    }
  };

  let last: Entry[] = [];
  const shelf: Shelf = {
    chunks,
    tmp,
    async list() {
      const rows = db.prepare('SELECT number, taken_ms AS takenMs, bad FROM snapshots ORDER BY number').all();
      last = await Promise.all(rows.map((row) => read(row as unknown as Row)));
      return last;
    },
    last: () => last,
    async entry(id) {
      const entries = await shelf.list();
      const found = entries.find((one) => one.id === id);
      if (found) return found;
      const near = didYouMean(
        id,
        entries.map((one) => one.id),
      );
      throw new GraceError('NOT_FOUND', `there is no snapshot ${JSON.stringify(id)}${near}`, { id });
    },
    async nextId() {
      const last = Math.max(store.get<number>(LAST) ?? 0, (await shelf.list()).at(-1)?.number ?? 0);
      store.set(LAST, last + 1);
      return `snap-${last + 1}`;
    },
    async add(snapshot) {
      await chunks.settle();
      await writeDurably(fileOf(snapshot.id), writeDocument(snapshot), tmp);
      await syncFolder(manifests);
      readDocument(await readFile(fileOf(snapshot.id), 'utf8'), snapshot.id);
      insert.run(numberOf(snapshot.id), snapshot.takenMs);
      await shelf.list();
    },
    mark: (id, bad) => void setBad.run(bad, numberOf(id)),
    async verify(entry) {
      if (!entry.snapshot) return entry.bad;
      let bad: string | null = null;
      const seen = new Set<string>();
      for (const item of entry.snapshot.items) {
        for (const hash of item.chunks) {
          if (seen.has(hash) || bad !== null) continue;
          seen.add(hash);
          await chunks.read(hash).catch((error: Error) => {
            bad = `${item.item}: ${error.message}`;
          });
        }
      }
      if (bad !== entry.bad) shelf.mark(entry.id, bad);
      return bad;
    },
    async lastGood(name) {
      const entries = await shelf.list();
      const found = entries.findLast(
        ({ snapshot, bad }) => bad === null && snapshot?.items.some(({ item }) => isMeant(item, name)),
      );
      return found?.snapshot ?? null;
    },
    async assemble(item, path) {
      const file = await open(path, 'wx', 0o600);
      try {
        const whole = createHash('sha256');
        for (const hash of item.chunks) {
          const bytes = await chunks.read(hash);
          whole.update(bytes);
          await file.writeFile(bytes);
        }
        const sum = whole.digest('hex');
        if (sum !== item.sha256) throw new Error(`${item.item} hashes to ${sum}, the manifest says ${item.sha256}`);
        await file.chmod(item.mode & 0o777);
        await file.sync();
      } finally {
        await file.close();
      }
    },
    async prune(rule, nowMs) {
      const entries = await shelf.list();
      const old = new Set(
        outdated(
          entries.map(({ number, takenMs, snapshot, bad }) => ({
            number,
            takenMs,
            good: bad === null,
            items: snapshot?.items.map(({ item }) => item) ?? [],
          })),
          rule,
          nowMs,
        ),
      );
      const [gone, stay] = [
        entries.filter(({ number }) => old.has(number)),
        entries.filter(({ number }) => !old.has(number)),
      ];
      // The manifest first: a snapshot without pieces must not be listed, pieces without a snapshot do no harm.
      for (const { id, number } of gone) {
        await rm(fileOf(id), { force: true });
        db.prepare('DELETE FROM snapshots WHERE number = ?').run(number);
      }
      if (gone.length > 0) await syncFolder(manifests);
      const wanted = new Set(stay.flatMap(({ snapshot }) => snapshot?.items.flatMap((item) => item.chunks) ?? []));
      const freed = await chunks.sweep(wanted);
      await shelf.list();
      return { removed: gone.map(({ id }) => id), chunks: freed.removed, bytes: freed.bytes };
    },
  };
  // Killed after a manifest stood and before its row did: it is whole, or shows as bad.
  for (const name of await readdir(manifests)) {
    if (!MANIFEST.test(name)) continue;
    const { mtimeMs } = await stat(join(manifests, name));
    insert.run(numberOf(name.slice(0, -'.json'.length)), mtimeMs);
  }
  await shelf.list();
  return shelf;
}
