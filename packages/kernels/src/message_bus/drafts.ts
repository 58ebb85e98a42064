import type { BrokerEvent } from '@grace/bus/broker';
import type { AnyDraft, Clock } from '@grace/contracts';
import { PROBE } from './principals.ts';

/** What of the broker's events belongs into the journal. That the probe is refused is what it is for. */
export function toDraft(event: BrokerEvent, clock: Clock): AnyDraft | undefined {
  switch (event.type) {
    case 'denied': {
      const { type: _, ...data } = event;
      return data.principal === PROBE ? undefined : { name: 'bus:denied', data };
    }
    case 'muted': {
      const { type: _, ...data } = event;
      return { name: 'bus:muted', data };
    }
    case 'unmuted': {
      const { type: _, ...data } = event;
      return { name: 'bus:unmuted', data };
    }
    case 'permitted': {
      const { untilMono, ...permit } = event.permit;
      const periodMs = Math.round(untilMono - clock.monoMs());
      return { name: 'bus:permit', data: { ...permit, periodMs, by: event.by ?? 'message_bus' } };
    }
    case 'revoked': {
      const { id, principal } = event.permit;
      return { name: 'bus:revoke', data: { id, principal, ...(event.by && { by: event.by }) } };
    }
    case 'unbalanced': {
      const { type: _, ...data } = event;
      return { name: 'bus:unbalanced', data };
    }
    case 'balanced':
      return { name: 'bus:balanced', data: { family: event.family, unbalanced: event.unbalanced } };
    case 'dead-letter': {
      const { type: _, ...data } = event;
      return { name: 'bus:dead-letter', data };
    }
    case 'storage': {
      const { type: _, ...data } = event;
      return { name: 'bus:storage', data };
    }
    case 'connected':
    case 'disconnected':
      return undefined;
  }
}
