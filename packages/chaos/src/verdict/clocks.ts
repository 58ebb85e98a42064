import type { AnyRecord, DetectorMethod, JournalRecord } from '@grace/contracts';
import type { RecordSet } from './record-set.ts';
import { recoveredAt } from './recovery.ts';
import { belongs, type TrialSpan, within } from './trial-span.ts';

/** An instant of the monotonic clock and the records it rests on. */
export interface Instant {
  atMono: number;
  seqs: number[];
}

/** The four clocks of a trial. */
export interface Clocks {
  effect: JournalRecord<'fault:effect'> | null;
  injected: Instant | null;
  /** First firing of each method, earliest first. */
  detectors: { method: DetectorMethod; atMono: number; seq: number }[];
  mitigated: (Instant & { by: string }) | null;
  recovered: Instant | null;
}

export function clocksOf(set: RecordSet, span: TrialSpan, correlations: ReadonlySet<string>): Clocks {
  const { data: trial } = span.start;
  const effects = set.during('fault:effect').filter((record) => record.data.lease === trial.lease);
  const effect = effects.find((record) => record.data.proven) ?? effects.at(-1) ?? null;
  const injected = effect?.data.proven ? { atMono: effect.data.atMono, seqs: [effect.seq] } : null;
  const fromMono = injected?.atMono ?? span.fromMono;
  return {
    effect,
    injected,
    detectors: detectorsOf(set, span, correlations, fromMono),
    mitigated: mitigationOf(set, span, correlations, fromMono),
    // What was seen before the effect was is no recovery from it.
    recovered: injected && recoveryOf(set, span, Math.max(injected.atMono, effect!.monoMs)),
  };
}

function detectorsOf(
  set: RecordSet,
  span: TrialSpan,
  correlations: ReadonlySet<string>,
  fromMono: number,
): Clocks['detectors'] {
  const first = new Map<DetectorMethod, { method: DetectorMethod; atMono: number; seq: number }>();
  for (const record of set.during('detector:fire')) {
    if (!within(span, record) || record.monoMs < fromMono) continue;
    const { method, incident, subject } = record.data;
    if (!span.incidents.has(incident) && !belongs(span, correlations, record.correlation, [subject])) continue;
    if (!first.has(method)) first.set(method, { method, atMono: record.monoMs, seq: record.seq });
  }
  return [...first.values()].sort((a, b) => a.atMono - b.atMono || a.seq - b.seq);
}

/** The first thing that was done about it: a mute, a limit, a repair of the record, a restart, a ladder rung, or a playbook that ended. */
function mitigationOf(
  set: RecordSet,
  span: TrialSpan,
  correlations: ReadonlySet<string>,
  fromMono: number,
): Clocks['mitigated'] {
  for (const record of set.all) {
    if (!within(span, record) || record.monoMs < fromMono) continue;
    const by = mitigates(record, span, correlations);
    if (by !== null) return { atMono: record.monoMs, seqs: [record.seq], by };
  }
  return null;
}

function mitigates(record: AnyRecord, span: TrialSpan, correlations: ReadonlySet<string>): string | null {
  switch (record.name) {
    case 'bus:muted':
      return belongs(span, correlations, record.correlation, [record.data.principal]) ? 'mute' : null;
    case 'record:repaired':
      return record.data.action !== 'nothing' && belongs(span, correlations, record.correlation, [record.data.ledger])
        ? `record ${record.data.action}`
        : null;
    case 'kernel:limit':
      return record.data.cpu !== null && belongs(span, correlations, record.correlation, [record.kernel])
        ? 'limit'
        : null;
    case 'kernel:restart':
      return belongs(span, correlations, record.correlation, [record.kernel]) ? 'restart' : null;
    case 'kernel:stuck':
      return belongs(span, correlations, record.correlation, [record.kernel]) ? record.data.rung : null;
    case 'playbook:end':
      return span.incidents.has(record.data.incident) && record.data.outcome === 'healed'
        ? `playbook ${record.data.playbook}`
        : null;
    default:
      return null;
  }
}

/** Recovery is observed, and never earlier than the return of every kernel that went down because of the fault. */
function recoveryOf(set: RecordSet, span: TrialSpan, seenMono: number): Instant | null {
  const mayGoDown = new Set([...span.subjects, ...span.start.data.expect.mayRestart]);
  const down = new Map<string, number>();
  let fromMono = seenMono;
  const seqs: number[] = [];
  for (const record of set.all) {
    if (record.kernel === undefined || !mayGoDown.has(record.kernel) || !within(span, record)) continue;
    if (record.name === 'kernel:exit' || record.name === 'kernel:restart') down.set(record.kernel, record.seq);
    if (record.name === 'kernel:ready' && down.delete(record.kernel)) {
      fromMono = Math.max(fromMono, record.monoMs);
      seqs.push(record.seq);
    }
  }
  if (down.size > 0) return null;
  const observations = set.during('trial:observe').filter((record) => record.data.trial === span.start.data.trial);
  const atMono = recoveredAt(
    observations.map(({ data }) => data),
    span.start.data.expect.recoveredBy,
    fromMono,
  );
  if (atMono === null) return null;
  const witness = observations.find((record) => record.data.atMono >= atMono);
  return { atMono, seqs: witness ? [...seqs, witness.seq] : seqs };
}
