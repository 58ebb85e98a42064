import type { Broker } from '@grace/bus/broker';
import type { BusClient } from '@grace/bus/client';
import { type Clock, GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import { isInternal } from './principals.ts';
import { withoutProbe } from './statistics.ts';

const PERIOD_MAX_MS = 24 * 3_600_000;
const period = is.number({ min: 1, max: PERIOD_MAX_MS });
const principal = is.string({ max: 64, pattern: /^[^\s.*>]+$/, what: 'a principal' });
const patterns = is.optional(is.array(is.string({ max: 256 }), { max: 64 }));

export function createVerbs(broker: Broker, bus: BusClient, clock: Clock): Record<string, Verb> {
  return {
    stats: (input) => {
      readInput(input, {});
      return withoutProbe(broker.statistics());
    },

    mute: (input) => {
      const order = readInput(input, { principal, periodMs: period });
      if (isInternal(order.principal)) {
        throw new GraceError(
          'FORBIDDEN',
          `${order.principal} is the bus itself; muting it would silence the journal or the probe`,
        );
      }
      broker.mute(order.principal, order.periodMs);
      return { ...order, untilMono: clock.monoMs() + order.periodMs };
    },

    unmute: (input) => {
      const order = readInput(input, { principal });
      return { principal: order.principal, unmuted: broker.unmute(order.principal) };
    },

    permit: (input, { from }: VerbMeta) => {
      const wish = readInput(input, { principal, publish: patterns, subscribe: patterns, periodMs: period });
      if (wish.principal === from) throw new GraceError('FORBIDDEN', `${from} cannot grant a permit to itself`);
      const { publish = [], subscribe = [] } = wish;
      if (publish.length + subscribe.length === 0) {
        throw new GraceError('BAD_INPUT', 'input: expected at least one pattern under publish or subscribe');
      }
      return broker.permit({
        principal: wish.principal,
        publish,
        subscribe,
        untilMono: clock.monoMs() + wish.periodMs,
      });
    },

    revoke: (input) => {
      const { id } = readInput(input, { id: is.string({ max: 64 }) });
      if (!broker.revoke(id)) throw new GraceError('NOT_FOUND', `no permit has the id "${id}"`);
      return { id, revoked: true };
    },

    permits: (input) => {
      readInput(input, {});
      return broker.permits();
    },

    publish: async (input) => {
      const { subject, payload } = readInput(input, { subject: is.string({ max: 256 }), payload: is.unknown() });
      return await bus.publish(subject, payload);
    },
  };
}
