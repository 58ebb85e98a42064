import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import { evaluate } from './judge/evaluate.ts';
import { observedIn } from './meta-loop.ts';
import { KNOBS } from './propose/knob.ts';
import { propose } from './propose/proposal.ts';
import type { Book } from './record/book.ts';
import type { IncidentFact } from './record/facts.ts';
import type { ExperimentBook } from './tune/experiment.ts';

/** Incidents before and after the planted change. */
const SIDE = 12;
/** Years before any real record. */
const PLANTED_MS = 1_000_000;
const STEP_MS = 60_000;

/**
 * The job once, for real: incidents of a kernel that nobody has, noticed by the functional probe and from some moment on three times as late,
 * are written to the store, read back and judged. The change must be found where it is, and the probe interval be proposed at half its value; of
 * the same times without the change nothing may be. Nothing of it stays.
 */
export function createProbe(store: KernelStore, book: Book, experiments: ExperimentBook) {
  let number = 0;
  return async (): Promise<Record<string, unknown>> => {
    const subject = `probe-${++number}`;
    const planted = await judge(store, book, subject, 3);
    const [proposal] = planted.proposals;
    if (!proposal || planted.proposals.length !== 1)
      fail('a planted regression led to no proposal, or to more than one');
    if (proposal.knob !== 'probe_interval' || proposal.target !== subject || proposal.to !== proposal.from / 2)
      fail(`a planted regression led to ${proposal.knob} ${proposal.from} -> ${proposal.to} of ${proposal.target}`);
    if (proposal.evidence.sinceMs !== PLANTED_MS + SIDE * STEP_MS)
      fail('the planted change was found at another place');
    const quiet = await judge(store, book, `${subject}-quiet`, 1);
    if (quiet.proposals.length > 0 || quiet.unhelped.length > 0) fail('a series that never changed led to a proposal');
    const tried = Object.values(experiments.counts()).reduce((sum, count) => sum + count, 0);
    return { knob: proposal.knob, p: proposal.evidence.p, knobs: KNOBS.length, experiments: tried };
  };
}

async function judge(store: KernelStore, book: Book, subject: string, factor: number) {
  const span = { fromMs: PLANTED_MS, toMs: PLANTED_MS + 2 * SIDE * STEP_MS };
  const observed = planted(
    store,
    book,
    span,
    Array.from({ length: 2 * SIDE }, (_, i) => incident(subject, i, factor)),
  );
  const { raw, series } = await evaluate(observed, span);
  const judged = raw.map((one, i) => ({ series: one, verdict: series[i]! }));
  return { ...(await propose(judged, async () => 4000)), series: series.length };
}

/** Through the store, in a transaction that never comes to its end: whatever happens, it leaves nothing. */
function planted(store: KernelStore, book: Book, span: { fromMs: number; toMs: number }, incidents: IncidentFact[]) {
  const done = new Error('nothing of it stays');
  let observed: ReturnType<typeof observedIn> | undefined;
  try {
    store.transaction(() => {
      book.put({ incidents, restarts: [], runs: [], readies: [] });
      observed = observedIn(book, span);
      throw done;
    });
  } catch (error) {
    if (observed === undefined) throw error;
  }
  return observed!;
}

/** 160, 161 ... ms in an order without a trend. */
function incident(subject: string, i: number, factor: number): IncidentFact {
  const detectMs = (160 + ((i * 7) % SIDE)) * (i < SIDE ? 1 : factor);
  const openedMs = PLANTED_MS + i * STEP_MS;
  return {
    ...{ id: `${subject}-${i}`, kind: 'kernel_hung', subject, openedMs, closedMs: openedMs + 300, outcome: 'planted' },
    ...{ escalated: false, drill: false, method: 'probe', detectMs, onset: 'symptom' },
    ...{ recoverMs: 300, delayMs: 0, readyMs: 0 },
  };
}

function fail(what: string): never {
  throw new GraceError('INTERNAL', `meta_loop does not do its job: ${what}`);
}
