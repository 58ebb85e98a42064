import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { storageError } from '../failure.ts';
import { makeFolders, syncFolder, writeSynced } from './durable-file.ts';
import type { TileContent } from './growth.ts';
import { HASH_BYTES } from './merkle.ts';
import type { SubtreeHash } from './proofs.ts';
import { bundleEntries, foldTile, subtreeInTile, TILE_WIDTH, type TileName, tilePath, tileWidth } from './tiles.ts';

/** What was begun and not finished; emptied at every start. */
const DRAFTS = '.drafts';
const FILES_AT_ONCE = 8;
/** Tiles one reader remembers, 8 KiB each. */
const TILES_KEPT = 64;

/** Writes tiles: each as a whole, durable when `write` resolves. What a tile says never changes, so writing it again changes nothing. */
export class TileFolder {
  readonly dir: string;
  #drafts = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED` */
  async prepare(): Promise<void> {
    try {
      await rm(join(this.dir, DRAFTS), { recursive: true, force: true });
      await mkdir(join(this.dir, DRAFTS), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw storageError(error, `${this.dir}: the tree cannot be kept here`);
    }
  }

  /** @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED` */
  async write(contents: readonly TileContent[]): Promise<void> {
    const changed = new Set<string>();
    try {
      for (let i = 0; i < contents.length; i += FILES_AT_ONCE) {
        await Promise.all(contents.slice(i, i + FILES_AT_ONCE).map((content) => this.#writeOne(content, changed)));
      }
      await Promise.all([...changed].map(syncFolder));
    } catch (error) {
      throw storageError(error, `${this.dir}: ${contents.length} tiles were not written`);
    }
  }

  /** Removes the partial tiles that stand beside full ones; the full one holds all they say. */
  async removePartial(full: readonly TileName[]): Promise<void> {
    for (const tile of full) {
      await rm(join(this.dir, `${tilePath(tile)}.p`), { recursive: true, force: true }).catch(() => undefined);
    }
  }

  async #writeOne({ tile, bytes }: TileContent, changed: Set<string>): Promise<void> {
    const draft = join(this.dir, DRAFTS, String(this.#drafts++));
    const path = join(this.dir, tilePath(tile));
    await writeSynced(draft, bytes);
    for (const folder of await makeFolders(dirname(path))) changed.add(folder);
    await rename(draft, path);
    changed.add(dirname(path));
  }
}

/** Reads the tiles of a tree of one size; any reader of the layout would find the same. */
export class TileReader {
  readonly #dir: string;
  readonly #size: number;
  readonly #kept = new Map<string, Promise<Buffer>>();

  constructor(dir: string, size: number) {
    this.#dir = dir;
    this.#size = size;
  }

  readonly hash: SubtreeHash = async (level, index) => {
    const { from, count, ...tile } = subtreeInTile(level, index);
    return foldTile(await this.tile(tile.level, tile.index), from, count);
  };

  /** @throws GraceError `LEDGER_CORRUPT` when it is missing or too short */
  tile(level: number, index: number): Promise<Buffer> {
    const name: TileName = { level, index, width: tileWidth(level, index, this.#size) };
    const path = tilePath(name);
    const kept = this.#kept.get(path);
    if (kept) return kept;
    const reading = this.#read(name).then((bytes) => {
      if (bytes.length >= name.width * HASH_BYTES) return bytes.subarray(0, name.width * HASH_BYTES);
      throw flawed(path, `it holds ${bytes.length} bytes, expected ${name.width * HASH_BYTES}`);
    });
    this.#kept.set(path, reading);
    if (this.#kept.size > TILES_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return reading;
  }

  /**
   * The entries of a bundle.
   * @throws GraceError `LEDGER_CORRUPT` when it is missing or not whole
   */
  async entries(index: number): Promise<Buffer[]> {
    const name: TileName = { level: 'entries', index, width: tileWidth('entries', index, this.#size) };
    const entries = bundleEntries(await this.#read(name));
    if (entries && entries.length >= name.width) return entries.slice(0, name.width);
    throw flawed(tilePath(name), `it does not hold ${name.width} entries`);
  }

  /** A partial tile may have been replaced by the full one since. */
  async #read(name: TileName): Promise<Buffer> {
    if (name.width === 0) throw flawed(tilePath({ ...name, width: TILE_WIDTH }), 'the tree does not reach it');
    const paths = [tilePath(name), tilePath({ ...name, width: TILE_WIDTH })];
    for (const path of paths) {
      const bytes = await readFile(join(this.#dir, path)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw storageError(error, `${path} cannot be read`);
      });
      if (bytes) return bytes;
    }
    throw flawed(paths[0]!, 'it is missing');
  }
}

function flawed(path: string, why: string): GraceError {
  return new GraceError('LEDGER_CORRUPT', `${path}: ${why}`, { reason: 'tile', path });
}
