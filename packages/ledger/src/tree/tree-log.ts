import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { DurableBatch } from '../ledger.ts';
import { CHECKPOINT_FILE, type Checkpoint, headText, openCheckpoint, type TreeHead } from './checkpoint.ts';
import { writeDurably } from './durable-file.ts';
import { missing, problemError, type TreeProblem } from './flaw.ts';
import { Growth, type TileContent } from './growth.ts';
import { EMPTY_ROOT } from './merkle.ts';
import { type TreeLogOptions, VKEY_FILE, verifiersOf } from './options.ts';
import { consistencyProof, inclusionProof, rootAt } from './proofs.ts';
import { type Regrowth, regrow } from './regrow.ts';
import { TileFolder, TileReader } from './tile-folder.ts';
import { tilePath } from './tiles.ts';

export interface InclusionProof {
  index: number;
  hashes: Buffer[];
  checkpoint: Checkpoint;
}

export interface ConsistencyProof {
  from: number;
  to: number;
  rootFrom: Buffer;
  rootTo: Buffer;
  hashes: Buffer[];
  checkpoint: Checkpoint;
}

/** Of a tree without leaves there is nothing to witness. */
const NOT_ASKED = { lines: '', failure: null };
/** Leaves that wait to be written, at most; past it they are read from the ledger again later. */
const WAITING_BYTES_MAX = 32 * 1024 ** 2;
const CATCH_UP_RECORDS = 4096;

/**
 * The Merkle tree over the records of a ledger, published in a folder: tiles, entries, and a checkpoint that is signed when all it says is on
 * disk. It follows the ledger and is never ahead of it; whatever is missing of it is made again from the records.
 */
export class TreeLog {
  /** Why nothing is signed any more: the records are not those that were signed. */
  broken: GraceError | null = null;
  /** Why the newest publication failed, or went out with fewer cosignatures. */
  failure: GraceError | null = null;
  /** What the start had to make again. */
  readonly rebuilt: TreeProblem | null;
  #published: Checkpoint | null;
  #reader: TileReader;
  readonly #options: TreeLogOptions;
  readonly #folder: TileFolder;
  readonly #growth: Growth;
  readonly #full: TileContent[];
  #fullBytes = 0;
  /** Paths of the partial tiles of the newest publication. */
  #partial = new Set<string>();
  #publishing: Promise<Checkpoint> | null = null;
  #closed = false;

  private constructor(options: TreeLogOptions, folder: TileFolder, full: TileContent[], start: Regrowth) {
    this.#options = options;
    this.#folder = folder;
    this.#growth = start.growth;
    this.#full = full;
    this.#fullBytes = bytesOf(full);
    this.#published = start.checkpoint;
    this.rebuilt = start.rebuilt;
    this.broken = start.broken && problemError(start.broken);
    this.#reader = new TileReader(options.dir, start.checkpoint?.size ?? 0);
  }

  /**
   * Continues the tree in the folder, or begins one. Records that contradict what was signed do not stop the opening: `broken` says so.
   * @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED`, `LEDGER_CORRUPT` when the ledger cannot be read
   */
  static async open(options: TreeLogOptions): Promise<TreeLog> {
    const { dir, signer } = options;
    const folder = new TileFolder(dir);
    await folder.prepare();
    const full: TileContent[] = [];
    const start = await regrow(options, () => {
      full.length = 0;
      return new Growth((content) => full.push(content));
    });
    await writeDurably(join(dir, VKEY_FILE), `${signer.verifier.vkey}\n`);
    const log = new TreeLog(options, folder, full, start);
    // The first of all is that of the empty tree, before any tile: tiles without a checkpoint are then never its beginning.
    if (start.isNew) await log.#sign({ origin: signer.verifier.name, size: 0, root: EMPTY_ROOT });
    return log;
  }

  /** Leaves taken in; the published checkpoint may be of fewer. */
  get size(): number {
    return this.#growth.size;
  }

  get published(): Checkpoint | null {
    return this.#published;
  }

  get vkey(): string {
    return this.#options.signer.verifier.vkey;
  }

  /** Takes in what has just become durable. What does not follow on, or finds too much waiting, is read from the ledger later. */
  take({ firstSeq, records, hashes }: DurableBatch): void {
    const { base } = this.#options.records;
    if (this.#closed || this.broken || firstSeq !== base + this.size + 1 || this.#fullBytes > WAITING_BYTES_MAX) return;
    for (const [i, { atMs, kind, payload, payloadBytes }] of records.entries()) {
      this.#add({ seq: firstSeq + i, atMs, kind, payload, hash: hashes[i]! }, payloadBytes);
    }
  }

  /** Whether a record is durable that no checkpoint covers, or a witness can be asked that has not signed the newest one. */
  get isDue(): boolean {
    const { base, last } = this.#options.records;
    return this.broken === null && !this.#closed && !this.#isPublished(last() - base);
  }

  /**
   * A checkpoint that covers every record that is durable now, on disk.
   * @throws GraceError `LEDGER_CORRUPT` when the records are not those that were signed; `STORAGE_FULL`, `STORAGE_FAILED`; `DEADLINE` when
   *   too few witnesses signed
   */
  async publish(): Promise<Checkpoint> {
    if (this.broken) throw this.broken;
    const { base, last } = this.#options.records;
    const wanted = last() - base;
    // One under way may have begun before the newest record.
    while (this.#publishing) await this.#publishing.catch(() => undefined);
    if (this.#isPublished(wanted)) return this.#published!;
    if (this.#closed) throw new GraceError('LEDGER_CLOSED', 'the tree is closed');
    this.#publishing = this.#publish().finally(() => {
      this.#publishing = null;
    });
    return this.#publishing;
  }

  /** @throws GraceError `NOT_FOUND` when there is no such record, and what `publish` throws */
  async proveInclusion(seq: number): Promise<InclusionProof> {
    const index = seq - this.#options.records.base - 1;
    const checkpoint = index < (this.#published?.size ?? 0) ? this.#published! : await this.publish();
    if (index < 0 || index >= checkpoint.size)
      throw new GraceError('NOT_FOUND', `there is no record ${seq} in this tree`);
    return { index, hashes: await inclusionProof(index, checkpoint.size, this.#reader.hash), checkpoint };
  }

  /**
   * That the tree of `from` leaves is the beginning of the published one, or of that of `to` leaves.
   * @throws GraceError `NOT_FOUND` when there are no such sizes, and what `publish` throws
   */
  async proveConsistency(from: number, to?: number): Promise<ConsistencyProof> {
    const isThere = this.#published && to !== undefined && to <= this.#published.size;
    const checkpoint = isThere ? this.#published! : await this.publish();
    const until = to ?? checkpoint.size;
    if (from > until || until > checkpoint.size) {
      const expected = `expected sizes up to ${checkpoint.size}, the smaller first`;
      throw new GraceError('NOT_FOUND', `${expected}, got ${from} and ${until}`);
    }
    const { hash } = this.#reader;
    const [hashes, rootFrom, rootTo] = await Promise.all([
      consistencyProof(from, until, hash),
      rootAt(from, hash),
      rootAt(until, hash),
    ]);
    return { from, to: until, rootFrom, rootTo, hashes, checkpoint };
  }

  /** Resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#publishing?.catch(() => undefined);
  }

  /** Whether a checkpoint of that size or a larger one stands there, signed by every witness that can be asked. */
  #isPublished(size: number): boolean {
    const published = this.#published;
    if (!published || published.size < size) return false;
    if (published.size === 0) return true;
    const hasSigned = (name: string) => published.cosignatures.some((signature) => signature.name === name);
    return this.#options.cosigners.every(({ isReady, verifier }) => !isReady || !verifier || hasSigned(verifier.name));
  }

  #add(source: Parameters<Growth['add']>[0], payloadBytes: number): void {
    const before = this.#full.length;
    this.#growth.add(source, payloadBytes);
    for (let i = before; i < this.#full.length; i++) this.#fullBytes += this.#full[i]!.bytes.length;
  }

  async #publish(): Promise<Checkpoint> {
    try {
      await this.#catchUp();
      const head: TreeHead = { origin: this.#options.signer.verifier.name, size: this.size, root: this.#growth.root() };
      const partial = this.#growth.partial();
      await this.#writeFull();
      await this.#writePartial(partial);
      return await this.#sign(head);
    } catch (error) {
      this.failure = error as GraceError;
      throw error;
    }
  }

  /** Signs what stands on disk by now, has it cosigned, and publishes it. */
  async #sign(head: TreeHead): Promise<Checkpoint> {
    const { dir, signer, cosigners } = this.#options;
    const reader = new TileReader(dir, head.size);
    const text = headText(head);
    const note = `${text}\n${signer.sign(text)}`;
    const { lines, failure } = head.size === 0 ? NOT_ASKED : await this.#cosigned(head, note, reader);
    await writeDurably(join(dir, CHECKPOINT_FILE), note + lines);
    this.#published = openCheckpoint(note + lines, [signer.verifier], verifiersOf(cosigners));
    this.#reader = reader;
    this.failure = failure;
    return this.#published;
  }

  async #cosigned(
    head: TreeHead,
    note: string,
    reader: TileReader,
  ): Promise<{ lines: string; failure: GraceError | null }> {
    const { cosigners, cosignaturesMin = 0 } = this.#options;
    const proof = (from: number) => consistencyProof(from, head.size, reader.hash);
    const asked = await Promise.allSettled(cosigners.map((cosigner) => cosigner.cosign(head, note, proof)));
    const lines = asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const refusals = asked.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as GraceError] : []));
    const contradiction = refusals.find(({ code }) => code === 'LEDGER_CORRUPT');
    if (contradiction) {
      this.broken = contradiction;
      throw contradiction;
    }
    const failure = refusals[0] ?? null;
    if (lines.length < cosignaturesMin) {
      const why = failure ? `: ${failure.message}` : '';
      throw new GraceError(
        'DEADLINE',
        `${lines.length} of ${cosignaturesMin} witnesses signed size ${head.size}${why}`,
      );
    }
    return { lines: lines.join(''), failure };
  }

  /** Takes in what the ledger has and the tree has not. */
  async #catchUp(): Promise<void> {
    const { base, last, read } = this.#options.records;
    while (base + this.size < last() && !this.#closed) {
      const before = this.size;
      // While a page is read, `take` may go on from where it ends; what is there already is passed over.
      for await (const record of read(base + before + 1, CATCH_UP_RECORDS)) {
        if (record.seq === base + this.size + 1) this.#add(record, record.payload.length);
        if (this.#fullBytes > WAITING_BYTES_MAX) break;
      }
      if (this.size === before) throw problemError(missing(base + before + 1));
      await this.#writeFull();
    }
  }

  /** Those of upper levels change seldom, and what stood there before stands there still. */
  async #writePartial(partial: readonly TileContent[]): Promise<void> {
    const due = partial.filter(({ tile }) => !this.#partial.has(tilePath(tile)));
    await this.#folder.write(due);
    this.#partial = new Set(partial.map(({ tile }) => tilePath(tile)));
  }

  async #writeFull(): Promise<void> {
    const due = this.#full.slice();
    if (due.length === 0) return;
    await this.#folder.write(due);
    this.#full.splice(0, due.length);
    this.#fullBytes -= bytesOf(due);
    await this.#folder.removePartial(due.map(({ tile }) => tile));
  }
}

const bytesOf = (contents: readonly TileContent[]): number =>
  contents.reduce((sum, { bytes }) => sum + bytes.length, 0);
