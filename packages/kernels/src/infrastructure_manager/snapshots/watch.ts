import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { CHUNK_BYTES, sha256 } from './chunks.ts';
import type { Item } from './document.ts';
import { judgeOriginal, type Verdict } from './original.ts';
import { openInside, type Place, pathOf } from './places.ts';
import type { Shelf } from './shelf.ts';
import { type CheckSoundness, formOf } from './soundness.ts';

/** How an original stands against the last good snapshot that has it. */
export interface Standing {
  item: string;
  path: string;
  snapshot: string;
  verdict: Verdict;
  why: string;
  recorded: { bytes: number; sha256: string };
  /** Null: it could not be read. */
  found: { bytes: number; sha256: string } | null;
}

/** Compares originals with what was recorded of them; state is left out, as it changes all the time. */
export interface Watch {
  /** Reads every original whole. */
  compare(name?: string): Promise<Standing[]>;
  /**
   * A small piece of the same, for a timer: size and time of each original, its content where these are others, and the content of one piece of one
   * original whose size and time say nothing. Answers what is not the same, and all that was known before and is the same again.
   */
  glance(): Promise<Standing[]>;
}

interface Baseline {
  item: Item;
  place: Place;
  snapshot: string;
}

export function createWatch(shelf: Shelf, places: readonly Place[], check: CheckSoundness): Watch {
  let turn = 0;
  /** What was last judged of an item: against which snapshot, at which size and time, and what was found where it was not the same. */
  const memory = new Map<string, { snapshot: string; print: string; standing: Standing | undefined }>();

  /** The newest good copy of each file, where its place is there now. */
  const baselines = async (): Promise<Baseline[]> => {
    const newest = new Map<string, Baseline>();
    for (const { snapshot, bad } of await shelf.list()) {
      if (snapshot === null || bad !== null) continue;
      for (const item of snapshot.items) {
        if (item.kind !== 'file') continue;
        const place = places.find(
          ({ group, name }) => item.item === `${group}/${name}` || item.item.startsWith(`${group}/${name}/`),
        );
        if (place) newest.set(item.item, { item, place, snapshot: snapshot.id });
      }
    }
    return [...newest.values()];
  };

  const judge = async ({ item, place, snapshot }: Baseline): Promise<Standing> => {
    const path = pathOf(place, item.item);
    const recorded = { bytes: item.bytes, sha256: item.sha256 };
    const standing = (verdict: Verdict, why: string, found: Standing['found']): Standing => {
      return { item: item.item, path, snapshot, verdict, why, recorded, found };
    };
    try {
      const seen = await look(shelf, item, place, path);
      const form = place.group === 'config' ? formOf(path) : null;
      const isSame = seen.sha256 === item.sha256;
      const [broken = null] = form === null || isSame || seen.bytes === 0 ? [] : await check([{ path, form }]);
      const { verdict, why } = judgeOriginal(item, seen, { broken, isBeginning: seen.isBeginning });
      return standing(verdict, why, { bytes: seen.bytes, sha256: seen.sha256 });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' ? standing('missing', 'it is not there', null) : standing('unreadable', message, null);
    }
  };

  return {
    async compare(name) {
      const standings: Standing[] = [];
      for (const one of await baselines()) {
        if (name === undefined || one.item.item === name || one.item.item.startsWith(`${name}/`))
          standings.push(await judge(one));
      }
      return standings;
    },
    async glance() {
      const all = await baselines();
      const told: Standing[] = [];
      const suspects: Baseline[] = [];
      const quiet: Baseline[] = [];
      for (const one of all) {
        const { item, place, snapshot } = one;
        const print = await fingerprint(pathOf(place, item.item));
        const before = memory.get(item.item);
        if (before?.snapshot !== snapshot)
          memory.set(item.item, { snapshot, print: printOf(item), standing: before?.standing });
        const { print: judged, standing } = memory.get(item.item)!;
        if (print !== judged || (standing && before?.snapshot !== snapshot)) suspects.push(one);
        else if (!standing) quiet.push(one);
      }
      const pieces = quiet.flatMap((one) => one.item.chunks.map((hash, i) => ({ one, hash, i })));
      const piece = pieces.length === 0 ? undefined : pieces[turn++ % pieces.length];
      if (piece && !(await isPiece(piece.one, piece.hash, piece.i))) suspects.push(piece.one);
      for (const one of suspects) {
        const print = await fingerprint(pathOf(one.place, one.item.item));
        const now = await judge(one);
        const before = memory.get(one.item.item)!.standing;
        const isSame = now.verdict === 'same';
        memory.set(one.item.item, { snapshot: one.snapshot, print, standing: isSame ? undefined : now });
        const isNew = before?.verdict !== now.verdict || before.found?.sha256 !== now.found?.sha256;
        if (isNew && (before || !isSame)) told.push(now);
      }
      return told;
    },
  };
}

const NOTHING = 'nothing';
const printOf = ({ bytes, mtimeMs }: Pick<Item, 'bytes' | 'mtimeMs'>): string => `${bytes}/${mtimeMs}`;

async function fingerprint(path: string): Promise<string> {
  const seen = await stat(path).catch(() => null);
  return seen === null ? NOTHING : printOf({ bytes: seen.size, mtimeMs: seen.mtimeMs });
}

/** Hash and size, and whether all it has is what the recorded one begins with. */
async function look(
  shelf: Shelf,
  item: Item,
  place: Place,
  path: string,
): Promise<{ bytes: number; mtimeMs: number; sha256: string; isBeginning: boolean }> {
  const file = await openInside(place, path);
  try {
    const { mtimeMs } = await file.stat();
    const whole = createHash('sha256');
    let [bytes, isBeginning] = [0, true];
    for (let i = 0; ; i++) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, bytes);
      if (bytesRead === 0) break;
      const piece = buffer.subarray(0, bytesRead);
      whole.update(piece);
      bytes += bytesRead;
      if (isBeginning) isBeginning = await begins(shelf, item.chunks[i], piece);
    }
    return { bytes, mtimeMs, sha256: whole.digest('hex'), isBeginning };
  } finally {
    await file.close();
  }
}

async function begins(shelf: Shelf, hash: string | undefined, piece: Buffer): Promise<boolean> {
  if (hash === undefined) return false;
  if (sha256(piece) === hash) return true;
  const recorded = await shelf.chunks.read(hash).catch(() => undefined);
  return recorded?.subarray(0, piece.length).equals(piece) ?? false;
}

async function isPiece({ item, place }: Baseline, hash: string, i: number): Promise<boolean> {
  try {
    const file = await openInside(place, pathOf(place, item.item));
    try {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, i * CHUNK_BYTES);
      return sha256(buffer.subarray(0, bytesRead)) === hash;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
