import type { JournalRecord, Withheld } from '@grace/contracts';
import type { RecordSet } from './record-set.ts';
import { type TrialSpan, within } from './trial-span.ts';

/** What happened to both at once happened within this, ms: a late timer is noted when it comes. */
const AT_ONCE_MS = 300;

/** What the machine withheld during a trial. */
export interface Machine {
  /** From the runner or from the system. */
  all: readonly Withheld[];
  /**
   * From the system itself. That the runner stood still says so of the system only when the supervisor was late at the same moment: a runner
   * that is stopped alone must not excuse anybody but itself.
   */
  system: readonly Withheld[];
  /** Why there was too little of the fault to be noticed, when it lapsed because nobody was let renew it. */
  lapsed: string | null;
}

export function machineOf(set: RecordSet, span: TrialSpan, injectedMono: number | null): Machine {
  const all = span.end?.data.withheld ?? [];
  const lags = set.during('system:lag').filter((record) => within(span, record));
  const isCommon = ({ fromMono, toMono }: Withheld): boolean =>
    lags.some(({ monoMs }) => monoMs >= fromMono && monoMs <= toMono + AT_ONCE_MS);
  const system = all.filter((one) => one.of !== 'runner' || isCommon(one));
  const undo = set
    .during('fault:undo')
    .find(({ data }) => data.lease === span.start.data.lease && data.why === 'lapsed');
  return { all, system, lapsed: undo && injectedMono !== null ? lapseOf(undo, all, span, injectedMono) : null };
}

function lapseOf(
  undo: JournalRecord<'fault:undo'>,
  withheld: readonly Withheld[],
  span: TrialSpan,
  injectedMono: number,
): string | null {
  const actedMs = undo.monoMs - injectedMono;
  const ms = withheldBetween(withheld, injectedMono, undo.monoMs);
  if (actedMs - ms > span.start.data.expect.detectWithinMs) return null;
  return `The fault lapsed after ${Math.round(actedMs)} ms (#${undo.seq}), since the machine withheld ${Math.round(ms)} ms of that: ${tellWithheld(withheld)}.`;
}

/** How much was withheld between two instants, ms. */
export function withheldBetween(withheld: readonly Withheld[], fromMono: number, toMono: number): number {
  let sum = 0;
  for (const one of withheld) {
    const commonMs = Math.min(one.toMono, toMono) - Math.max(one.fromMono, fromMono);
    if (commonMs > 0) sum += (commonMs * one.ms) / (one.toMono - one.fromMono);
  }
  return sum;
}

/** The most that was withheld in any stretch of `lengthMs` between two instants, ms. */
function withheldAtMost(withheld: readonly Withheld[], fromMono: number, toMono: number, lengthMs: number): number {
  const starts = withheld.flatMap((one) => [one.fromMono, one.toMono - lengthMs]);
  const inside = starts.filter((start) => start < toMono && start + lengthMs > fromMono);
  return Math.max(0, ...inside.map((start) => withheldBetween(withheld, start, start + lengthMs)));
}

/** Why a latency above its bound proves nothing, when the machine withheld what it was too much by; null: it does prove something. */
export function slownessExcused(
  withheld: readonly Withheld[],
  stretch: { fromMono: number; toMono: number },
  tookMs: number,
  boundMs: number,
): string | null {
  const most = withheldAtMost(withheld, stretch.fromMono, stretch.toMono, tookMs);
  return most < tookMs - boundMs
    ? null
    : `the machine withheld ${Math.round(most)} ms of such a time: ${tellWithheld(withheld)}`;
}

/** Why a time limit that was missed proves nothing, when it would have been kept without what the machine withheld until then. */
export function latenessExcused(
  withheld: readonly Withheld[],
  fromMono: number,
  toMono: number,
  limitMs: number,
): string | null {
  const ms = withheldBetween(withheld, fromMono, toMono);
  return toMono - fromMono - ms > limitMs
    ? null
    : `the machine withheld ${Math.round(ms)} ms of that: ${tellWithheld(withheld)}`;
}

/** `supervisor by others 400 ms, runner by unknown 1500 ms`: for the reader of a verdict. */
export function tellWithheld(withheld: readonly Withheld[]): string {
  const sums = new Map<string, number>();
  for (const { of, by, ms } of withheld) sums.set(`${of} by ${by}`, (sums.get(`${of} by ${by}`) ?? 0) + ms);
  const told = [...sums].sort(([, a], [, b]) => b - a).slice(0, 3);
  return told.map(([who, ms]) => `${who} ${Math.round(ms)} ms`).join(', ');
}
