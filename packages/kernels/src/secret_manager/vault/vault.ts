import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { type Contents, EMPTY } from './contents.ts';
import { type FileSteps, fileSteps, replaceFile } from './files.ts';
import { fingerprint, type Header, parse, seal, unseal } from './format.ts';
import { type KeySource, newKey, readMaster, writeKeyFile } from './key-source.ts';
import { type Master, makeSlot, type OpenSlot, openSlot, type Slot, wrap } from './slots.ts';

/** The last file that was written, remembered outside the vault: an earlier one in its place is noticed. */
export interface Anchor {
  read(): { generation: number; fingerprint: string } | null;
  write(mark: { generation: number; fingerprint: string }): void | Promise<void>;
}

export interface VaultOptions {
  dir: string;
  source: KeySource;
  anchor: Anchor;
  nowMs: () => number;
  /** Told of master keys and passphrases, so that they are left out of logs. */
  know: (value: string) => void;
  /** An older vault of this generation is what the operator wants: a backup. */
  acceptGeneration?: number;
  files?: FileSteps;
}

/** What of the vault may be said. */
export interface VaultStanding {
  vault: string;
  generation: number;
  writtenMs: number;
  /** How each key that opens it now is derived; two while a rekey waits for its new key to be used. */
  openedBy: string[];
}

/** Changes that may wait at once. */
const WAITING_MAX = 200;
const FILE = 'vault';

/** The vault on disk and its contents in memory. The caller holds the folder's lock, see kernel.ts. */
export class Vault {
  readonly path: string;
  readonly #options: VaultOptions;
  readonly #files: FileSteps;
  #contents: Contents = EMPTY;
  #header: Omit<Header, 'salt'>;
  #vaultKey: Buffer;
  /** Derived from the master that is in use. */
  #slot: OpenSlot;
  #fingerprint = '';
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: VaultOptions, header: Omit<Header, 'salt'>, vaultKey: Buffer, slot: OpenSlot) {
    this.#options = options;
    this.#files = options.files ?? fileSteps;
    this.path = join(options.dir, FILE);
    this.#header = header;
    this.#vaultKey = vaultKey;
    this.#slot = slot;
  }

  /**
   * Opens the vault of the folder, or makes it where there never was one. A rekey that was interrupted is finished or taken back.
   * @throws GraceError `VAULT_KEY_WRONG`, `VAULT_DAMAGED`, `VAULT_ROLLED_BACK`, `VAULT_VERSION`, `KEY_UNUSABLE`, `STORAGE_*`
   */
  static async open(options: VaultOptions): Promise<Vault> {
    const files = options.files ?? fileSteps;
    const path = join(options.dir, FILE);
    const file = await files.read(path);
    const mark = options.anchor.read();
    if (file === null) {
      if (mark !== null && options.acceptGeneration !== 0)
        throw rolledBack(path, `there is none; the last one written was number ${mark.generation}`);
      return await Vault.#make(options, files, mark?.generation ?? 0);
    }
    const sealed = parse(file, path);
    const { header } = sealed;
    const master = await readMaster(options.source, options.know);
    if (master === null)
      throw new GraceError(
        'VAULT_KEY_WRONG',
        `${path} is there, and its key is missing: there is no file ${pathOf(options.source)}`,
      );
    const opened = await openAny(header.slots, master, header.vault);
    if (opened === null)
      throw new GraceError('VAULT_KEY_WRONG', `${path} does not open with ${nameOf(options.source)}`);
    const contents = unseal(sealed, opened.vaultKey, path);
    const digest = fingerprint(file);
    const isAccepted = options.acceptGeneration === header.generation;
    if (mark !== null && !isAccepted) {
      if (header.generation < mark.generation)
        throw rolledBack(path, `it is number ${header.generation}; the last one written was number ${mark.generation}`);
      if (header.generation === mark.generation && digest !== mark.fingerprint)
        throw rolledBack(path, `it is another number ${header.generation} than the one that was written`);
    }
    const vault = new Vault(options, header, opened.vaultKey, opened.slot);
    vault.#contents = contents;
    vault.#fingerprint = digest;
    // Numbers go on behind the highest that was ever used, so that the file given up cannot come back either.
    vault.#header = { ...header, generation: Math.max(header.generation, mark?.generation ?? 0) };
    if (mark?.fingerprint !== digest)
      await options.anchor.write({ generation: vault.#header.generation, fingerprint: digest });
    if (header.slots.length > 1) await vault.#settleRekey(opened.index);
    return vault;
  }

  static async #make(options: VaultOptions, files: FileSteps, after: number): Promise<Vault> {
    const master = (await readMaster(options.source, options.know)) ?? (await makeKeyFile(options, files));
    const slot = await makeSlot(master);
    const header = { vault: randomUUID(), generation: after, writtenMs: options.nowMs(), slots: [] };
    const vault = new Vault(options, header, randomBytes(32), slot);
    await vault.#write(EMPTY, randomBytes(32), [slot]);
    return vault;
  }

  get contents(): Contents {
    return this.#contents;
  }

  get standing(): VaultStanding {
    const { vault, generation, writtenMs, slots } = this.#header;
    return { vault, generation, writtenMs, openedBy: slots.map(({ derivation }) => derivation.name) };
  }

  /**
   * Makes a change durable. Changes come one after the other; `change` sees what the one before left, and throws to refuse.
   * @throws GraceError `CONFLICT` when too many wait, `VAULT_ROLLED_BACK` when somebody else has changed the file, `TOO_LARGE`, `STORAGE_*`
   */
  change<T>(change: (contents: Contents) => { contents: Contents; result: T }): Promise<T> {
    return this.#inTurn(async () => {
      const { contents, result } = change(this.#contents);
      if (contents !== this.#contents) await this.#write(contents);
      return result;
    });
  }

  /**
   * Reads the file again and compares it with what was written last, and its content with what is in memory.
   * @throws GraceError `VAULT_ROLLED_BACK`, `VAULT_DAMAGED`
   */
  check(): Promise<Contents> {
    return this.#inTurn(async () => {
      const file = await this.#readOwn();
      return unseal(parse(file, this.path), this.#vaultKey, this.path);
    });
  }

  /**
   * Closes the vault with another master. At every instant the old or the new one opens it. With `install` (a key file of ours) the new one
   * is in place when this resolves; without, the old one still opens it until the new one has, at the next start.
   */
  rekey(master: Master | null): Promise<VaultStanding> {
    return this.#inTurn(async () => {
      const fresh = master ?? newKey();
      const next = await makeSlot(fresh);
      await this.#write(this.#contents, randomBytes(32), [this.#slot, next]);
      if (master === null) {
        this.#options.know(fresh.bytes.toString('hex'));
        await writeKeyFile(this.#files, pathOf(this.#options.source), fresh);
        this.#slot = next;
        await this.#write(this.#contents, randomBytes(32), [next]);
      }
      return this.standing;
    });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#last.catch(() => {});
  }

  /** `opened`: which slot the master of this start opened, the newest is the last. */
  async #settleRekey(opened: number): Promise<void> {
    const newest = this.#header.slots.length - 1;
    // The new passphrase has not come yet; a new key file would be there if the rekey had gone on.
    if (opened !== newest && this.#header.slots[newest]!.derivation.name !== 'hkdf-sha256') return;
    try {
      await this.#write(this.#contents, randomBytes(32), [this.#slot]);
    } catch (error) {
      // A disk that is full leaves both slots, as the interruption did; secrets are served all the same.
      if (!(error instanceof GraceError && error.code.startsWith('STORAGE_'))) throw error;
    }
  }

  async #write(contents: Contents, vaultKey = this.#vaultKey, slots?: OpenSlot[]): Promise<void> {
    if (this.#fingerprint !== '') await this.#readOwn();
    const header = {
      ...this.#header,
      generation: this.#header.generation + 1,
      writtenMs: this.#options.nowMs(),
      slots: slots?.map((slot) => wrap(slot, vaultKey, this.#header.vault)) ?? this.#header.slots,
    };
    const file = seal(header, vaultKey, contents);
    await replaceFile(this.#files, this.path, file);
    this.#header = header;
    this.#vaultKey = vaultKey;
    this.#contents = contents;
    this.#fingerprint = fingerprint(file);
    await this.#options.anchor.write({ generation: header.generation, fingerprint: this.#fingerprint });
  }

  async #readOwn(): Promise<Buffer> {
    const file = await this.#files.read(this.path);
    if (file === null) throw rolledBack(this.path, 'it is gone');
    if (fingerprint(file) !== this.#fingerprint) {
      unseal(parse(file, this.path), this.#vaultKey, this.path);
      throw rolledBack(this.path, `it is not number ${this.#header.generation}, which was written last`);
    }
    return file;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX)
      return Promise.reject(new GraceError('CONFLICT', `${WAITING_MAX} changes of the vault wait already; try again`));
    this.#waiting++;
    const done = this.#last.then(work, work).finally(() => this.#waiting--);
    this.#last = done.catch(() => {});
    return done;
  }
}

async function openAny(slots: readonly Slot[], master: Master, vault: string) {
  for (const [index, slot] of [...slots.entries()].reverse()) {
    const opened = await openSlot(slot, master, vault);
    if (opened) return { ...opened, index };
  }
  return null;
}

async function makeKeyFile({ source, know }: VaultOptions, files: FileSteps): Promise<Master> {
  const key = newKey();
  know(key.bytes.toString('hex'));
  await writeKeyFile(files, pathOf(source), key);
  return key;
}

function pathOf(source: KeySource): string {
  if (source.kind === 'environment')
    throw new GraceError('BAD_INPUT', 'the key of this vault comes from the environment, not from a file');
  return source.path;
}

function nameOf(source: KeySource): string {
  return source.kind === 'environment'
    ? `what the environment variable ${source.name} holds`
    : `what ${source.path} holds`;
}

function rolledBack(path: string, why: string): GraceError {
  return new GraceError('VAULT_ROLLED_BACK', `${path} is not the vault that was written last: ${why}`, { path });
}
