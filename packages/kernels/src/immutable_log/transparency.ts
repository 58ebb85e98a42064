import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { DurableBatch, Ledger, LedgerProblem } from '@grace/ledger';
import {
  type Claim,
  openKeyFile,
  parseVkey,
  readWitnessState,
  type SecretKey,
  signerOf,
  TreeLog,
  type TreeProblem,
  type TreeVerification,
  verifyTree,
} from '@grace/ledger/tree';
import { WitnessCosigner, WitnessProcess } from '@grace/ledger/witness';

export interface TransparencySettings {
  /** How often records that no checkpoint covers yet are signed, ms. */
  checkpointEveryMs: number;
  /** `off`: no process of its own; `required`: no checkpoint goes out without its signature. */
  witness: 'off' | 'optional' | 'required';
  witnessDir: string;
  witnessDeadlineMs: number;
  /** Others, by URL and key. */
  witnesses: readonly { url: string; vkey: string }[];
  /** The name of the log, to which the epoch is added; only a log without a key takes a new one. */
  origin: string | undefined;
}

/** The own witness is started this long after the kernel: at the boot others need the processor. */
const WITNESS_AFTER_MS = 1500;
/** A required one is waited for at the start; after that without it there are no checkpoints, and no probe. */
const WITNESS_DEADLINE_MS = 10_000;
/** Set while a damage that only a new epoch answers is known; a start that finds it repairs by itself. */
const UNREPAIRED = 'unrepaired';

/** The tree over the record: follows the ledger, signs, has it witnessed, proves. One tree for each epoch of the ledger. */
export class Transparency {
  readonly dir: string;
  readonly #ctx: KernelContext;
  readonly #ledger: Ledger;
  readonly #settings: TransparencySettings;
  readonly #key: SecretKey;
  #tree!: TreeLog;
  #witness: WitnessProcess | null = null;
  #cosigners: WitnessCosigner[] = [];
  #starting: NodeJS.Timeout | undefined;
  #told: string | null = null;

  private constructor(ctx: KernelContext, ledger: Ledger, settings: TransparencySettings, key: SecretKey) {
    this.#ctx = ctx;
    this.#ledger = ledger;
    this.#settings = settings;
    this.#key = key;
    this.dir = logDirOf(ctx.stateDir);
  }

  static async open(ctx: KernelContext, ledger: Ledger, settings: TransparencySettings): Promise<Transparency> {
    const name = settings.origin ?? `grace.invalid/${crypto.randomUUID().slice(0, 8)}/immutable_log`;
    const key = await openKeyFile(join(ctx.stateDir, 'log.key'), name);
    const transparency = new Transparency(ctx, ledger, settings, key);
    await transparency.#begin();
    return transparency;
  }

  get tree(): TreeLog {
    return this.#tree;
  }

  /** Whether an earlier incarnation told of damage that nobody has repaired since. */
  get isUnrepaired(): boolean {
    return this.#ctx.store.get(UNREPAIRED) !== undefined;
  }

  /** What only a new epoch answers, in the words of the ledger. */
  get problems(): LedgerProblem[] {
    const { broken } = this.#tree;
    return broken ? [asLedgerProblem(problemOf(broken))] : [];
  }

  /** The newest seq that a checkpoint or the witness speaks of: up to it nothing may be given away again, whether it is still there or not. */
  async signedTo(): Promise<number> {
    const seen = (await this.#seen()).map(({ head }) => head.size);
    return this.#ledger.epoch.base.seq + Math.max(0, this.#tree.published?.size ?? 0, ...seen);
  }

  /** @throws GraceError `LEDGER_CORRUPT` while the records are not those that were signed */
  assertSound(): void {
    if (this.#tree.broken) throw this.#tree.broken;
  }

  take(batch: DurableBatch): void {
    this.#tree.take(batch);
  }

  /** Signs what is due; what hinders it is told once, and stands in the status. */
  async publishDue(): Promise<void> {
    if (!this.#tree.isDue) return;
    const failure = await this.#tree.publish().then(
      () => this.#tree.failure,
      (error: unknown) => error,
    );
    const words = failure instanceof Error ? failure.message : null;
    if (words !== null && words !== this.#told)
      this.#ctx.log.warn('the checkpoint is not as it should be', { error: words });
    this.#told = words;
    this.remember();
  }

  /**
   * Everything again, from the records; derived files that do not fit are made again. Where the chain of records is damaged, the tree can
   * only say so too: it is the ledger that is repaired.
   */
  async verify(signal: AbortSignal, isChainWhole: boolean): Promise<TreeVerification> {
    const { witness, witnessDir } = this.#settings;
    const found = await verifyTree({
      ledgerDir: join(this.#ctx.stateDir, 'ledger'),
      logDir: this.dir,
      witnessDir: witness === 'off' ? undefined : witnessDir,
      vkey: this.#tree.vkey,
      base: this.#ledger.epoch.base.seq,
      signal,
    });
    if (!isChainWhole) return found;
    const serious = found.problems.find(({ kind }) => SEALING.includes(kind));
    if (serious) {
      this.#tree.broken ??= errorOf(serious);
      this.remember();
    } else if (found.problems.some(({ kind }) => kind === 'tile' || kind === 'checkpoint')) {
      this.#ctx.log.warn('the tree is made again from the record', { problems: found.problems.slice(0, 5) });
      await this.#tree.close();
      await this.#openTree(true);
    }
    return found;
  }

  /** A new epoch has begun: its tree is a log of its own. */
  async reopen(): Promise<void> {
    await this.#end();
    await this.#begin();
    this.#ctx.store.delete(UNREPAIRED);
  }

  status() {
    const { published, size, failure, broken, rebuilt, vkey } = this.#tree;
    return {
      ...{ origin: this.#origin, vkey, size },
      checkpoint: published && {
        size: published.size,
        root: published.root.toString('base64'),
        cosignatures: published.cosignatures,
      },
      failure: failure?.message ?? null,
      broken: broken?.message ?? null,
      rebuilt: rebuilt?.message ?? null,
      witnesses: this.#cosigners.map(({ status }) => status),
      witness: { mode: this.#settings.witness, pid: this.#witness?.pid ?? null, starts: this.#witness?.starts ?? 0 },
    };
  }

  /** Writes nothing more until `resume` or `reopen`: the ledger and the files of the tree are about to be put in order. */
  async pause(): Promise<void> {
    await this.#tree.close();
  }

  /** The same epoch goes on. */
  async resume(): Promise<void> {
    await this.#openTree(false);
  }

  async close(): Promise<void> {
    await this.#end();
  }

  get #origin(): string {
    return `${this.#key.name}/${this.#ledger.epoch.number}`;
  }

  async #begin(): Promise<void> {
    const { witness, witnessDir, witnessDeadlineMs, witnesses } = this.#settings;
    const signer = signerOf(this.#origin, 'signature', this.#key.seed);
    this.#cosigners = witnesses.map(({ url, vkey }) => {
      const place = { address: { url }, verifier: parseVkey(vkey) };
      return new WitnessCosigner(() => place, witnessDeadlineMs);
    });
    if (witness !== 'off') {
      const name = `grace.invalid/witness/${crypto.randomUUID().slice(0, 8)}`;
      const onChange = (problem: string | null) => problem && this.#ctx.log.warn('witness', { problem });
      const own = new WitnessProcess({ dir: witnessDir, name, log: signer.verifier.vkey, onChange });
      this.#witness = own;
      this.#cosigners.push(new WitnessCosigner(own.place, witnessDeadlineMs, (answered) => own.heard(answered)));
      if (witness === 'required') {
        own.start();
        await own.settled(WITNESS_DEADLINE_MS);
      } else {
        this.#starting = setTimeout(() => own.start(), WITNESS_AFTER_MS);
      }
    }
    await this.#openTree(false);
  }

  async #openTree(anew: boolean): Promise<void> {
    const { base } = this.#ledger.epoch;
    this.#tree = await TreeLog.open({
      dir: this.dir,
      records: {
        base: base.seq,
        last: () => this.#ledger.last.seq,
        read: (from, limit) => this.#ledger.read(from, limit),
      },
      signer: signerOf(this.#origin, 'signature', this.#key.seed),
      cosigners: this.#cosigners,
      cosignaturesMin: this.#settings.witness === 'required' ? 1 : 0,
      seen: await this.#seen(),
      anew,
    });
    const { broken, rebuilt } = this.#tree;
    if (rebuilt) this.#ctx.log.warn('the tree is made again from the record', { why: rebuilt.message });
    if (broken) this.#ctx.log.error('the record is not what was signed', { error: broken.message });
  }

  /** What the own witness saw; read from its folder, for its process may not run yet. */
  async #seen(): Promise<Claim[]> {
    if (this.#settings.witness === 'off') return [];
    try {
      const state = await readWitnessState(this.#settings.witnessDir, this.#origin);
      return state?.head ? [{ by: 'witness', head: state.head }] : [];
    } catch (error) {
      this.#ctx.log.error('what the witness keeps cannot be believed', { error: String(error) });
      return [];
    }
  }

  /** Keeps over the end of this thread that the tree is broken. */
  remember(): void {
    if (this.#tree.broken) this.#ctx.store.set(UNREPAIRED, this.#tree.broken.message);
  }

  async #end(): Promise<void> {
    clearTimeout(this.#starting);
    await Promise.all([this.#tree.close(), this.#witness?.close()]);
    this.#witness = null;
  }
}

export const logDirOf = (stateDir: string): string => join(stateDir, 'log');

const SEALING: readonly TreeProblem['kind'][] = ['rewritten', 'rolled-back', 'forked'];

function errorOf({ kind, message, ...place }: TreeProblem): GraceError {
  return new GraceError('LEDGER_CORRUPT', message, { reason: kind, ...place });
}

function problemOf({ message, details }: GraceError): TreeProblem {
  const { reason, seq } = details as { reason: TreeProblem['kind']; seq?: number };
  return { kind: reason, message, ...(seq === undefined ? {} : { seq }) };
}

/** A fork is a history written anew. */
export function asLedgerProblem({ kind, message, seq }: TreeProblem): LedgerProblem {
  const place = { segment: '', offset: 0, ...(seq === undefined ? {} : { seq }) };
  return { kind: kind === 'rolled-back' ? 'rolled-back' : 'rewritten', ...place, message };
}
