import { type EventMap, GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { type Ledger, type LedgerProblem, type Repair, verifyLedger } from '@grace/ledger';
import type { TreeVerification } from '@grace/ledger/tree';
import type { Transparency } from './transparency.ts';

export interface IntegrityReport {
  atMs: number;
  tookMs: number;
  ok: boolean;
  /** Whole records found. */
  records: number;
  lastHash: string;
  /** The first 100. */
  problems: LedgerProblem[];
  problemCount: number;
  /** Epochs that were sealed, and what was lost with each. */
  epochs: { epoch: number; records: number; lost: { from: number; to: number }[] }[];
  /** The tree of this epoch: tiles, checkpoint, and what the witness saw. */
  tree: TreeVerification;
}

const PROBLEMS_SHOWN = 100;
const PROBLEMS_TOLD = 20;
/** Of a verification that follows a suspicion; what the look itself found is told when it takes longer. */
const DIAGNOSIS_MS = 1500;
/** A damage that nobody has repaired is told again. */
const TOLD_EVERY_MS = 5000;

/**
 * Looks at the files every second or so, verifies the whole record from time to time and on demand, and tells what it finds. For
 * `repairGraceMs` after that, the damage is for whoever repairs it: replacing the thread would not heal a file. Then the probe fails, and
 * the next start repairs.
 */
export class Integrity {
  latest: IntegrityReport | null = null;
  readonly #ctx: KernelContext;
  readonly #place: { dir: string; outerHead: string };
  readonly #ledger: Ledger;
  readonly #repairGraceMs: number;
  readonly #transparency: Transparency;
  #damage: { problems: LedgerProblem[]; sinceMono: number; toldMono: number } | null = null;
  #running: Promise<IntegrityReport> | null = null;
  #looking: Promise<void> | null = null;

  constructor(
    ctx: KernelContext,
    place: { dir: string; outerHead: string },
    ledger: Ledger,
    transparency: Transparency,
    repairGraceMs: number,
  ) {
    this.#ctx = ctx;
    this.#place = place;
    this.#ledger = ledger;
    this.#repairGraceMs = repairGraceMs;
    this.#transparency = transparency;
  }

  get problems(): readonly LedgerProblem[] {
    return this.#damage?.problems ?? [];
  }

  /** One at a time; who asks while one runs gets its answer. */
  verify(): Promise<IntegrityReport> {
    this.#running ??= this.#verify(this.#ctx.signal).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** The cheap look; when it sees something, a verification says what it is. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /** Somebody met damage: `error` is what told him. */
  async suspect(error: GraceError): Promise<void> {
    await this.look();
    if (this.#damage) return;
    await this.verify();
    if (this.#damage) return;
    const { segment, offset, seq } = error.details as { segment?: string; offset?: number; seq?: number };
    const place = { segment: segment ?? '', offset: offset ?? 0, ...(seq === undefined ? {} : { seq }) };
    this.#found([{ kind: 'checksum', ...place, message: error.message }]);
  }

  /** What a repair has found and done. */
  repaired(repair: Repair, by: string): void {
    const { action, problems, epoch, seal, restored, tookMs } = repair;
    if (!this.#damage && action === 'nothing') return;
    if (!this.#damage) this.#tell(problems);
    this.#damage = null;
    if (action !== 'nothing') this.latest = null;
    const [lost, disputed] = [countOf(seal?.lost), countOf(seal?.disputed)];
    const done = { action, by, epoch, lost, disputed, restored: restored?.segments ?? [], tookMs };
    this.#ctx.log.warn('the audit record was repaired', done);
    this.#ctx.supervisor.report({ name: 'record:repaired', data: { ledger: 'immutable_log', ...done } });
  }

  /** The tree was found broken at the start; from the next start on it is repaired by itself. */
  tellOfTree(): void {
    this.#transparency.remember();
    this.#found(this.#transparency.problems);
  }

  /** Resolves when nothing is read any more; the kernel's signal has ended what was running. */
  async ended(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await this.#looking?.catch(() => undefined);
  }

  /** @throws GraceError `LEDGER_CORRUPT` when there is damage that nobody has repaired in time */
  assertWhole(): void {
    if (!this.#damage || this.#ctx.clock.monoMs() - this.#damage.sinceMono < this.#repairGraceMs) return;
    const { problems } = this.#damage;
    const { kind, segment, offset, message } = problems[0]!;
    throw new GraceError(
      'LEDGER_CORRUPT',
      `the record has ${problems.length} flaws; the first: ${kind}, ${segment}, byte ${offset}: ${message}`,
      { problems: problems.slice(0, 10) },
    );
  }

  async #look(): Promise<void> {
    const seen = await this.#ledger.look();
    seen.push(...this.#transparency.problems);
    if (seen.length === 0) {
      if (this.#damage && this.#isToldDue()) await this.verify();
      return;
    }
    if (this.#damage && !this.#isToldDue()) return;
    const patience = AbortSignal.any([this.#ctx.signal, AbortSignal.timeout(DIAGNOSIS_MS)]);
    const told = await this.#verify(patience).catch(() => null);
    if (!told || told.ok) this.#found(seen);
  }

  #isToldDue(): boolean {
    return this.#damage !== null && this.#ctx.clock.monoMs() - this.#damage.toldMono >= TOLD_EVERY_MS;
  }

  async #verify(signal: AbortSignal): Promise<IntegrityReport> {
    const { clock } = this.#ctx;
    const startMono = clock.monoMs();
    // A chain cannot show that its end was cut off; its writer, who knows where the end was, can.
    const anchors = [{ source: 'living writer', inside: true, ...this.#ledger.last }];
    const { dir, outerHead } = this.#place;
    const { records, lastHash, problems: found, epochs } = await verifyLedger(dir, { signal, anchors, outerHead });
    const tree = await this.#transparency.verify(signal, found.length === 0);
    const problems = [...found, ...this.#transparency.problems];
    const isWhole = problems.length === 0;
    this.latest = {
      atMs: clock.wallMs(),
      tookMs: Math.round(clock.monoMs() - startMono),
      ok: isWhole && tree.ok,
      records,
      lastHash,
      problems: problems.slice(0, PROBLEMS_SHOWN),
      problemCount: problems.length,
      epochs: epochs.map(({ epoch, records: readable, lost }) => ({ epoch, records: readable, lost })),
      tree,
    };
    if (!isWhole) this.#found(problems);
    else if (this.#damage)
      this.repaired(
        { action: 'nothing', problems: [], epoch: this.#ledger.epoch.number, seal: null, restored: null, tookMs: 0 },
        'nobody',
      );
    return this.latest;
  }

  #found(problems: LedgerProblem[]): void {
    const monoMs = this.#ctx.clock.monoMs();
    const isNew = this.#damage === null;
    if (this.#damage) this.#damage.problems = problems;
    else this.#damage = { problems, sinceMono: monoMs, toldMono: monoMs };
    if (!isNew && !this.#isToldDue()) return;
    this.#damage.toldMono = monoMs;
    this.#tell(problems);
  }

  #tell(problems: readonly LedgerProblem[]): void {
    const told: EventMap['record:damaged']['problems'] = problems.slice(0, PROBLEMS_TOLD);
    this.#ctx.log.error('the audit record is damaged', { problems: told.slice(0, 5) });
    const data = { ledger: 'immutable_log' as const, count: problems.length, problems: told };
    this.#ctx.supervisor.report({ name: 'record:damaged', data });
  }
}

const countOf = (ranges: readonly { from: number; to: number }[] = []): number =>
  ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
