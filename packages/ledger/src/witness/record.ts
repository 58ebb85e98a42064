import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { type Checkpoint, readText } from '../tree/checkpoint.ts';
import { writeDurably } from '../tree/durable-file.ts';
import { openKeyFile } from '../tree/key-file.ts';
import { parseVkey, type Signer, signerOf, type Verifier } from '../tree/note.ts';
import { logFolder, readWitnessState, WITNESS_FILES } from '../tree/witness-state.ts';

interface KnownLog {
  verifier: Verifier;
  latest: Checkpoint | null;
}

/** What a witness keeps: its key, the logs it knows, and of each the newest checkpoint it has cosigned. */
export class WitnessRecord {
  readonly signer: Signer;
  readonly #dir: string;
  readonly #logs = new Map<string, KnownLog>();

  private constructor(dir: string, signer: Signer) {
    this.#dir = dir;
    this.signer = signer;
  }

  /**
   * `name` is that of a new key.
   * @throws GraceError `KEY_UNUSABLE`, `PROOF_INVALID` when what is kept here is not signed by this witness, `STORAGE_FAILED`
   */
  static async open(dir: string, name: string): Promise<WitnessRecord> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const key = await openKeyFile(join(dir, WITNESS_FILES.key), name);
    const record = new WitnessRecord(dir, signerOf(key.name, 'cosignature', key.seed));
    await writeDurably(join(dir, WITNESS_FILES.vkey), `${record.signer.verifier.vkey}\n`);
    for (const folder of await readdir(join(dir, WITNESS_FILES.logs)).catch(() => [])) {
      const vkey = await readText(join(dir, WITNESS_FILES.logs, folder, 'vkey'));
      if (vkey !== null) await record.#load(parseVkey(vkey));
    }
    return record;
  }

  get origins(): string[] {
    return [...this.#logs.keys()];
  }

  log(origin: string): Readonly<KnownLog> | undefined {
    return this.#logs.get(origin);
  }

  /**
   * Gets to know a log. Its key is kept from then on.
   * @throws GraceError `CONFLICT` when the origin is known by another key
   */
  async know(vkey: string): Promise<void> {
    const verifier = parseVkey(vkey);
    const known = this.#logs.get(verifier.name);
    if (known?.verifier.vkey === verifier.vkey) return;
    if (known) {
      throw new GraceError('CONFLICT', `the witness knows ${verifier.name} by the key ${known.verifier.vkey}`, {
        vkey,
      });
    }
    const folder = logFolder(this.#dir, verifier.name);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeDurably(join(folder, 'vkey'), `${verifier.vkey}\n`);
    this.#logs.set(verifier.name, { verifier, latest: null });
  }

  /** Signs the checkpoint and keeps it; resolves with the signature when it is durable. `text` is what the log signed. */
  async cosign(checkpoint: Checkpoint, text: string): Promise<string> {
    const log = this.#logs.get(checkpoint.origin)!;
    const cosignature = this.signer.sign(text);
    const note = checkpoint.note + cosignature;
    await writeDurably(join(logFolder(this.#dir, checkpoint.origin), 'checkpoint'), note);
    log.latest = { ...checkpoint, note };
    return cosignature;
  }

  async #load(verifier: Verifier): Promise<void> {
    const state = await readWitnessState(this.#dir, verifier.name);
    if (state) this.#logs.set(verifier.name, { verifier: state.log, latest: state.head });
  }
}
