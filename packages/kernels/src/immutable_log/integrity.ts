import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { type Ledger, type LedgerProblem, verifyLedger } from '@grace/ledger';

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
}

const PROBLEMS_SHOWN = 100;

/** Verifies the whole record, on demand and from time to time, and remembers the answer: the probe fails while it is a bad one. */
export class Integrity {
  latest: IntegrityReport | null = null;
  readonly #ctx: KernelContext;
  readonly #dir: string;
  readonly #ledger: Ledger;
  #running: Promise<IntegrityReport> | null = null;

  constructor(ctx: KernelContext, dir: string, ledger: Ledger) {
    this.#ctx = ctx;
    this.#dir = dir;
    this.#ledger = ledger;
  }

  /** One at a time; who asks while one runs gets its answer. */
  verify(): Promise<IntegrityReport> {
    this.#running ??= this.#verify().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Resolves when nothing is read any more; the kernel's signal has ended what was running. */
  async ended(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  /** @throws GraceError `LEDGER_CORRUPT` when the latest verification found something */
  assertWhole(): void {
    if (this.latest === null || this.latest.ok) return;
    const { problems, problemCount } = this.latest;
    const { kind, segment, offset, message } = problems[0]!;
    throw new GraceError(
      'LEDGER_CORRUPT',
      `the record has ${problemCount} flaws; the first: ${kind}, ${segment}, byte ${offset}: ${message}`,
      { problems: problems.slice(0, 10) },
    );
  }

  async #verify(): Promise<IntegrityReport> {
    const { clock, log, signal } = this.#ctx;
    const startMono = clock.monoMs();
    const before = this.#ledger.last;
    const { records, lastHash, problems } = await verifyLedger(this.#dir, { signal });
    // A chain cannot show that its end was cut off; its writer, who knows where the end was, can.
    if (problems.length === 0 && records < before.seq) {
      const message = `records ${records + 1} to ${before.seq} are missing at the end`;
      problems.push({ kind: 'gap', segment: '', offset: 0, seq: records + 1, message });
    }
    this.latest = {
      atMs: clock.wallMs(),
      tookMs: Math.round(clock.monoMs() - startMono),
      ok: problems.length === 0,
      records,
      lastHash,
      problems: problems.slice(0, PROBLEMS_SHOWN),
      problemCount: problems.length,
    };
    if (!this.latest.ok) log.error('the audit record is damaged', { problems: problems.slice(0, 5) });
    return this.latest;
  }
}
