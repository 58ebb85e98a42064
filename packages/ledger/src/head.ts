import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Appended } from './append-queue.ts';
import type { Anchor } from './epoch/seal.ts';
import { type FileLayer, type LedgerFile, readSmall, writeAll } from './files.ts';

export const HEAD_FILE = 'head';
const EVERY_MS = 1000;
const SHAPE = /^grace ledger head\n(\d{16}) ([0-9a-f]{64})\n([0-9a-f]{8})\n$/;

/**
 * Notes the newest durable record in small files, at most once a second and at close: one in the folder, so that a cut end is seen, and
 * one outside, so that a folder that was set back as a whole is seen. They are written after the sync and without one of their own: they
 * may be behind the ledger, never ahead of it. A note that fails is no failure of the ledger.
 */
export class Head {
  readonly #files: FileLayer;
  readonly #paths: readonly string[];
  #open: (LedgerFile | undefined)[] = [];
  #due: Appended | null = null;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | null = null;
  #lastMono = Number.NEGATIVE_INFINITY;

  constructor(files: FileLayer, dir: string, outerHead: string | undefined) {
    this.#files = files;
    this.#paths = [join(dir, HEAD_FILE), ...(outerHead === undefined ? [] : [outerHead])];
  }

  note(last: Appended): void {
    this.#due = last;
    if (this.#timer || this.#writing) return;
    const waitMs = this.#lastMono + EVERY_MS - performance.now();
    this.#timer = setTimeout(() => void this.#write(), Math.max(0, waitMs));
    // The close writes what is due; a process that has nothing else to do need not wait for a note.
    this.#timer.unref();
  }

  /** Notes what is due and gives the files back; a later note opens them again. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const file of this.#open.splice(0)) await file?.close().catch(() => undefined);
  }

  #write(): Promise<void> {
    this.#timer = undefined;
    this.#writing ??= this.#writeDue().finally(() => {
      this.#writing = null;
      if (this.#due) this.note(this.#due);
    });
    return this.#writing;
  }

  async #writeDue(): Promise<void> {
    const due = this.#due;
    this.#due = null;
    if (!due) return;
    this.#lastMono = performance.now();
    const bytes = encode(due);
    for (const [i, path] of this.#paths.entries()) {
      try {
        this.#open[i] ??= await this.#files.open(path, 'create');
        await writeAll(this.#open[i]!, bytes, 0);
      } catch {
        // Behind is what a head may be.
      }
    }
  }
}

function encode({ seq, hash }: Appended): Buffer {
  const said = `${String(seq).padStart(16, '0')} ${hash}`;
  return Buffer.from(`grace ledger head\n${said}\n${crc32(said).toString(16).padStart(8, '0')}\n`);
}

async function readHead(files: FileLayer, path: string): Promise<Appended | null> {
  const match = SHAPE.exec((await readSmall(files, path, 200))?.toString('latin1') ?? '');
  if (!match || crc32(`${match[1]} ${match[2]}`) !== Number.parseInt(match[3]!, 16)) return null;
  return { seq: Number(match[1]), hash: match[2]! };
}

/** What the heads of a folder say. */
export async function readHeads(files: FileLayer, dir: string, outerHead: string | undefined): Promise<Anchor[]> {
  const inner = await readHead(files, join(dir, HEAD_FILE));
  const outer = outerHead === undefined ? null : await readHead(files, outerHead);
  return [
    ...(inner ? [{ source: 'head in the folder', inside: true, ...inner }] : []),
    ...(outer ? [{ source: 'head beside the folder', inside: false, ...outer }] : []),
  ];
}
