import type { AnyRecord } from '@grace/contracts';
import { actOf } from '../handwork/act.ts';
import type { HandworkBook } from '../handwork/book.ts';
import type { OutcomeBook } from '../outcomes/book.ts';
import { endOf, keyOfRun } from '../outcomes/outcome.ts';

/** What the journal says that is learned from: patterns of the bus, and names of records. */
export const HEARD = [
  'incident:open',
  'incident:close',
  'playbook:end',
  'kernel:hand',
  'bus:muted',
  'bus:unmuted',
  'record:repaired',
] as const satisfies readonly AnyRecord['name'][];

export function isHeard(record: AnyRecord): boolean {
  return (HEARD as readonly string[]).includes(record.name);
}

/** Takes what a record tells into the books, within a transaction of the caller. A record that comes twice changes nothing. */
export function take(record: AnyRecord, outcomes: OutcomeBook, handwork: HandworkBook): void {
  const { seq, wallMs: atMs } = record;
  switch (record.name) {
    case 'incident:open': {
      const { id, kind, subject } = record.data.incident;
      handwork.opened({ id, kind, subject, seq, atMs });
      outcomes.resolve(id, kind);
      return;
    }
    case 'incident:close':
      handwork.closed(record.data.id, seq, atMs);
      return;
    case 'playbook:end': {
      const { run, playbook, incident, outcome, ms: tookMs, detail } = record.data;
      const end = endOf(outcome, detail);
      // By hand, against nothing: it healed no incident, so it tells nothing of one.
      if (end === null || incident === '') return;
      const told = { key: keyOfRun(run), playbook, signature: null, incident, end, tookMs, atMs, by: 'self_healing' };
      outcomes.take(told, handwork.kindOf(incident), true);
      return;
    }
    default: {
      const act = actOf(record);
      if (act) handwork.did(act);
    }
  }
}
