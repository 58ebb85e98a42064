import type { UnbalancedFamily } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { closeIncident, hasOpen, openIncident } from './incidents.ts';

const BUS = 'message_bus';

/** Denied messages of one principal, as the broker counts them. */
export function takeDenied(draft: Draft, principal: string, count: number, windowMs: number, threshold: number): void {
  if (count >= threshold)
    openIncident(draft, 'acl_violation', principal, 'bus_counter', { denied: count, forMs: windowMs });
}

/** The end of a mute that nobody told: its broker died with it, and what it had kept is gone too, ms after its time. */
const UNTOLD_MS = 5000;

/** Muted by the broker, or again by its successor. Who is muted by somebody's order has done nothing wrong for that. */
export function takeMuted(
  draft: Draft,
  {
    principal,
    denied,
    periodMs,
    ordered = false,
  }: { principal: string; denied: number; periodMs: number; ordered?: boolean },
): void {
  if (ordered && !hasOpen(draft, principal, 'acl_violation')) return;
  const incident = openIncident(draft, 'acl_violation', principal, 'bus_counter', { denied, mutedForMs: periodMs });
  draft.state.mutes[principal] = { denied, incident: incident.id, untilMono: draft.now + periodMs };
}

export function takeUnmuted(draft: Draft, principal: string): void {
  const mute = draft.state.mutes[principal];
  delete draft.state.mutes[principal];
  if (mute) closeIncident(draft, mute.incident, 'the mute is over');
}

/** Denials that never led to a mute are over when none came for a while. */
export function calmViolations(draft: Draft): void {
  for (const [principal, { untilMono, incident }] of Object.entries(draft.state.mutes))
    if (draft.now > untilMono + UNTOLD_MS || !draft.state.incidents[incident]) takeUnmuted(draft, principal);
  for (const incident of Object.values(draft.state.incidents)) {
    if (incident.kind !== 'acl_violation' || draft.state.mutes[incident.subject]) continue;
    incident.calmSince ??= draft.now;
    if (draft.now - incident.calmSince > 3000)
      closeIncident(draft, incident.id, 'no more denied messages; the principal was never muted');
  }
}

/** The broker found that messages were lost or counted twice. Its accounts begin anew with its next life, which closes this too. */
export function takeUnbalanced(draft: Draft, evidence: UnbalancedFamily): void {
  openIncident(draft, 'bus_unbalanced', BUS, 'bus_counter', { ...evidence });
}

export function takeBalanced(draft: Draft): void {
  for (const incident of Object.values(draft.state.incidents))
    if (incident.kind === 'bus_unbalanced') closeIncident(draft, incident.id, 'every family adds up again');
}
