import type { EventMap } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { closeIncident, openIncident } from './incidents.ts';

/** What waits for one durable consumer, as the broker counts it. Nobody is restarted for it: the messages are safe, and the consumer may only be slow. */
export function takeBacklog(draft: Draft, { consumer, over, ...evidence }: EventMap['bus:backlog']): void {
  if (over) openIncident(draft, 'queue_backlog', consumer, 'bus_counter', evidence);
  else endBacklogs(draft, consumer, `${evidence.waiting} messages wait, which is no backlog any more`);
}

/** A broker that ended counts anew. */
export function forgetBacklogs(draft: Draft): void {
  endBacklogs(draft, null, 'the broker ended; its successor counts anew');
}

function endBacklogs(draft: Draft, consumer: string | null, outcome: string): void {
  for (const incident of Object.values(draft.state.incidents)) {
    if (incident.kind !== 'queue_backlog' || (consumer !== null && incident.subject !== consumer)) continue;
    closeIncident(draft, incident.id, outcome);
  }
}
