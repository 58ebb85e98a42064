import { mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { FileLayer, LedgerFile } from '../src/files.ts';

const SECTOR_BYTES = 512;

interface Inode {
  id: number;
  /** What survives for sure, and what a reader sees now. */
  durable: Buffer;
  current: Buffer;
}

interface NameChange {
  folders: readonly string[];
  durable: boolean;
  apply(names: Map<string, Inode>): void;
}

/**
 * A machine's disk that can lose its power: it keeps what is durable and what is only written apart. Whatever was not synced, sectors of
 * 512 bytes and names alike, survives or not, each by itself, as `chance` says: so writes are torn, dropped and reordered. From the call
 * `diesAt` on nothing happens any more.
 */
export class PowerLossDisk {
  calls = 0;
  diesAt = Number.POSITIVE_INFINITY;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #changes: NameChange[] = [];
  #folders = new Set<string>();
  #nextId = 1;

  get isDead(): boolean {
    return this.calls >= this.diesAt;
  }

  /** The disk as the machine finds it when the power is back. */
  afterPowerLoss(chance: () => number): PowerLossDisk {
    const next = new PowerLossDisk();
    const names = new Map(this.#durableNames);
    for (const change of this.#changes) if (change.durable || chance() < 0.5) change.apply(names);
    const survived = new Map<number, Inode>();
    for (const [path, inode] of names) {
      let copy = survived.get(inode.id);
      if (!copy) {
        const content = mix(inode, chance);
        copy = { id: next.#nextId++, durable: content, current: content };
        survived.set(inode.id, copy);
      }
      next.#names.set(path, copy);
      next.#durableNames.set(path, copy);
    }
    next.#folders = new Set(this.#folders);
    return next;
  }

  get layer(): FileLayer {
    const step = <T>(work: () => T): T => {
      this.calls++;
      if (this.isDead) throw Object.assign(new Error('the power is gone'), { code: 'EIO' });
      return work();
    };
    const later = async <T>(work: () => T): Promise<T> => step(work);
    const change = (folders: string[], apply: NameChange['apply']) => {
      apply(this.#names);
      this.#changes.push({ folders, durable: false, apply });
    };
    const open = (path: string, mode: 'read' | 'write' | 'create'): LedgerFile => {
      let inode = this.#names.get(path);
      if (!inode && mode !== 'create') throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      if (!inode) {
        const made: Inode = { id: this.#nextId++, durable: Buffer.alloc(0), current: Buffer.alloc(0) };
        inode = made;
        change([dirname(path)], (names) => names.set(path, made));
      } else if (mode === 'create') inode.current = Buffer.alloc(0);
      return fileOf(inode, step, later);
    };
    return {
      makeFolder: (path) =>
        later(() => {
          for (let one = path; one !== dirname(one); one = dirname(one)) this.#folders.add(one);
          // The writer's lock is a real file.
          mkdirSync(path, { recursive: true });
        }),
      list: (folder) =>
        later(() => {
          const inside = [...this.#names.keys(), ...this.#folders].filter((path) => dirname(path) === folder);
          return [...new Set(inside.map((path) => basename(path)))];
        }),
      open: (path, mode) => later(() => open(path, mode)),
      createNow: (path) => step(() => open(path, 'create')),
      remove: (path) => later(() => change([dirname(path)], (names) => names.delete(path))),
      rename: (from, to) =>
        later(() => {
          const inode = this.#names.get(from);
          if (!inode) throw Object.assign(new Error(`no ${from}`), { code: 'ENOENT' });
          change([dirname(from), dirname(to)], (names) => {
            // A file whose making was lost cannot be renamed.
            if (names.get(from) === inode) names.delete(from);
            names.set(to, inode);
          });
        }),
      protect: () => later(() => undefined),
      look: (path) =>
        later(() => {
          const inode = this.#names.get(path);
          if (inode) return { bytes: inode.current.length, identity: `${inode.id}`, changedMs: this.calls };
          return this.#folders.has(path) ? { bytes: 0, identity: path, changedMs: 0 } : null;
        }),
      syncFolder: (path) => later(() => this.#sync(path)),
      syncFolderNow: (path) => step(() => this.#sync(path)),
    };
  }

  #sync(folder: string): void {
    for (const change of this.#changes) if (change.folders.includes(folder)) change.durable = true;
    while (this.#changes[0]?.durable) this.#changes.shift()!.apply(this.#durableNames);
  }
}

function fileOf(inode: Inode, step: <T>(work: () => T) => T, later: <T>(work: () => T) => Promise<T>): LedgerFile {
  const write = (bytes: Uint8Array, position: number): number => {
    const length = Math.max(inode.current.length, position + bytes.length);
    const grown = Buffer.alloc(length);
    inode.current.copy(grown);
    grown.set(bytes, position);
    inode.current = grown;
    return bytes.length;
  };
  const truncate = (length: number): void => {
    const cut = Buffer.alloc(length);
    inode.current.copy(cut, 0, 0, length);
    inode.current = cut;
  };
  const sync = (): void => {
    inode.durable = inode.current;
  };
  return {
    write: (bytes, position) => later(() => write(bytes, position)),
    read: (into, offset, position) =>
      later(() => {
        const piece = inode.current.subarray(position, position + into.length - offset);
        into.set(piece, offset);
        return piece.length;
      }),
    truncate: (length) => later(() => truncate(length)),
    sync: () => later(sync),
    size: () => later(() => inode.current.length),
    identity: () => later(() => `${inode.id}`),
    close: async () => undefined,
    now: {
      write: (bytes, position) => step(() => write(bytes, position)),
      truncate: (length) => step(() => truncate(length)),
      sync: () => step(sync),
    },
  };
}

/** The durable content with some of what was only written: each sector by itself, and a length that some of it needs. */
function mix({ durable, current }: Inode, chance: () => number): Buffer {
  if (durable === current) return durable;
  const [least, most] = [durable.length, current.length].sort((a, b) => a - b) as [number, number];
  const drawn = chance();
  const length =
    drawn < 0.25 ? durable.length : drawn < 0.5 ? current.length : least + Math.floor(chance() * (most - least + 1));
  const kept = Buffer.alloc(length);
  for (let from = 0; from < kept.length; from += SECTOR_BYTES) {
    const to = Math.min(kept.length, from + SECTOR_BYTES);
    const source = chance() < 0.5 ? current : durable;
    if (from < source.length) source.copy(kept, from, from, Math.min(to, source.length));
  }
  return kept;
}

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
