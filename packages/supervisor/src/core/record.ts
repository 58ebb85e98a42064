import type { EventMap } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { closeIncident, openIncident } from './incidents.ts';

/**
 * A record that is never to change has changed. Whoever keeps it is not restarted for that: a new thread finds the same files. It is
 * repaired by a playbook, or by itself at its next start.
 */
export function takeRecordDamaged(draft: Draft, { ledger, count, problems }: EventMap['record:damaged']): void {
  openIncident(draft, 'record_damaged', ledger, 'probe', { count, problems });
}

export function takeRecordRepaired(draft: Draft, repaired: EventMap['record:repaired']): void {
  for (const incident of Object.values(draft.state.incidents)) {
    if (incident.kind !== 'record_damaged' || incident.subject !== repaired.ledger) continue;
    closeIncident(draft, incident.id, outcomeOf(repaired));
  }
}

function outcomeOf({ action, epoch, lost, disputed, restored }: EventMap['record:repaired']): string {
  switch (action) {
    case 'nothing':
      return 'it is whole again';
    case 'truncated':
      return 'a write that never finished was cut off';
    case 'restored':
      return `every entry was found whole; ${restored.length} segments were made again`;
    case 'sealed':
      return `sealed; epoch ${epoch} goes on; ${lost} entries lost, ${disputed} disputed`;
  }
}
