import type { Draft } from './draft.ts';
import { closeIncident, openIncident } from './incidents.ts';

/** Denied messages of one principal, as the broker counts them. */
export function takeDenied(draft: Draft, principal: string, count: number, windowMs: number, threshold: number): void {
  if (count >= threshold)
    openIncident(draft, 'acl_violation', principal, 'bus_counter', { denied: count, forMs: windowMs });
}

export function takeMuted(draft: Draft, principal: string, denied: number, periodMs: number): void {
  const incident = openIncident(draft, 'acl_violation', principal, 'bus_counter', { denied, mutedForMs: periodMs });
  draft.state.mutes[principal] = { denied, incident: incident.id };
}

export function takeUnmuted(draft: Draft, principal: string): void {
  const mute = draft.state.mutes[principal];
  delete draft.state.mutes[principal];
  if (mute) closeIncident(draft, mute.incident, 'the mute is over');
}

/** Denials that never led to a mute are over when none came for a while. */
export function calmViolations(draft: Draft): void {
  for (const incident of Object.values(draft.state.incidents)) {
    if (incident.kind !== 'acl_violation' || draft.state.mutes[incident.subject]) continue;
    incident.calmSince ??= draft.now;
    if (draft.now - incident.calmSince > 3000)
      closeIncident(draft, incident.id, 'no more denied messages; the principal was never muted');
  }
}

/** A broker that ended takes its mutes with it. */
export function forgetMutes(draft: Draft): void {
  for (const principal of Object.keys(draft.state.mutes)) takeUnmuted(draft, principal);
}
