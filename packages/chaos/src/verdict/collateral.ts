import type { AnyRecord } from '@grace/contracts';
import type { RecordSet } from './record-set.ts';
import { type TrialSpan, within } from './trial-span.ts';

/** A kernel that went down although no fault of that moment allowed it. */
export interface Collateral {
  kernel: string;
  seq: number;
  monoMs: number;
  what: string;
}

/**
 * A kernel that lived alone for a while goes back among others: planned, drained, written down before. It is the consequence of a trial that
 * ended long ago, and no harm.
 */
function returnsOf(set: RecordSet): (record: AnyRecord) => boolean {
  const moves = set.during('kernel:move').filter(({ data }) => data.why === 'return');
  const readies = set.during('kernel:ready');
  return (record) => {
    if (record.name !== 'kernel:restart' || record.data.cause !== 'isolate') return false;
    const move = moves.findLast(({ kernel, seq }) => kernel === record.kernel && seq < record.seq);
    return (
      move !== undefined &&
      !readies.some(({ kernel, seq }) => kernel === record.kernel && seq > move.seq && seq < record.seq)
    );
  };
}

/**
 * Every unexpected end, restart or quarantine of a kernel that no trial of that moment may restart. When trials overlap, what one of them
 * allows is no harm of another.
 */
export function collateralOf(set: RecordSet, spans: readonly TrialSpan[]): Collateral[] {
  const found: Collateral[] = [];
  const isReturn = returnsOf(set);
  for (const record of set.all) {
    if (record.seq < set.start.seq) continue;
    const what = harm(record);
    if (what === null || record.kernel === undefined || isReturn(record)) continue;
    const { kernel, seq, monoMs } = record;
    const allowed = spans.some((span) => within(span, record) && span.start.data.expect.mayRestart.includes(kernel));
    if (!allowed) found.push({ kernel, seq, monoMs, what });
  }
  return found;
}

function harm(record: AnyRecord): string | null {
  switch (record.name) {
    case 'kernel:exit':
      return record.data.expected ? null : 'ended';
    case 'kernel:restart':
      return `was restarted (${record.data.cause})`;
    case 'kernel:quarantine':
      return 'was quarantined';
    default:
      return null;
  }
}

/** Restarts that should not have been: per kernel, its ends or its restarts, whichever are more (one event leaves both records). */
export function falseRestarts(collateral: readonly Collateral[]): number {
  const ends = new Map<string, number>();
  const restarts = new Map<string, number>();
  for (const { kernel, what } of collateral) {
    const counter = what === 'ended' ? ends : restarts;
    if (what !== 'was quarantined') counter.set(kernel, (counter.get(kernel) ?? 0) + 1);
  }
  const kernels = new Set([...ends.keys(), ...restarts.keys()]);
  return [...kernels].reduce((sum, kernel) => sum + Math.max(ends.get(kernel) ?? 0, restarts.get(kernel) ?? 0), 0);
}
