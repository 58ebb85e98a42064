import type { Broker } from '@grace/bus/broker';
import type { BusClient } from '@grace/bus/client';
import { type AclDocument, type AnyDraft, type Clock, didYouMean, GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import { createDurableVerbs } from './durable.ts';
import { isInternal, SUPERVISOR } from './principals.ts';
import { withoutProbe } from './statistics.ts';

const PERIOD_MAX_MS = 24 * 3_600_000;
const period = is.number({ min: 1, max: PERIOD_MAX_MS });
const principal = is.string({ max: 64, pattern: /^[^\s.*>]+$/, what: 'a principal' });
const patterns = is.optional(is.array(is.string({ max: 256 }), { max: 64 }));

export interface VerbParts {
  broker: Broker;
  bus: BusClient;
  clock: Clock;
  /** The access rules in force. */
  rules: { principals(): string[]; replace(acl: AclDocument): number };
  /** Resolves when mutes and permits as they stand are on disk. */
  kept(): Promise<void>;
  /** Into the journal. */
  report(draft: AnyDraft): void;
}

export function createVerbs({ broker, bus, clock, rules, kept, report }: VerbParts): Record<string, Verb> {
  /** Named in the rules, or seen on the bus. */
  const checkKnown = (name: string): void => {
    const known = new Set([...rules.principals(), ...Object.keys(broker.statistics().principals)]);
    if (known.has(name)) return;
    throw new GraceError('NOT_FOUND', `the bus knows no principal "${name}"${didYouMean(name, known)}`, {
      principal: name,
    });
  };

  return {
    stats: (input) => {
      readInput(input, {});
      return withoutProbe(broker.statistics());
    },

    mute: async (input, { from }: VerbMeta) => {
      const order = readInput(input, { principal, periodMs: period });
      if (isInternal(order.principal)) {
        throw new GraceError(
          'FORBIDDEN',
          `${order.principal} is the bus itself; muting it would silence the journal or the probe`,
        );
      }
      checkKnown(order.principal);
      broker.mute(order.principal, order.periodMs, from);
      await kept();
      return { ...order, untilMono: clock.monoMs() + order.periodMs };
    },

    unmute: async (input, { from }: VerbMeta) => {
      const order = readInput(input, { principal });
      checkKnown(order.principal);
      const unmuted = broker.unmute(order.principal, from);
      await kept();
      return { principal: order.principal, unmuted };
    },

    /** The supervisor alone: it keeps the rules for the next start too. */
    reload: (input, { from }: VerbMeta) => {
      const { acl } = readInput(input, { acl: is.unknown() });
      if (from !== SUPERVISOR) {
        throw new GraceError('FORBIDDEN', 'access rules are replaced by the supervisor alone: grace bus reload');
      }
      return { ended: rules.replace(acl as AclDocument) };
    },

    permit: async (input, { from }: VerbMeta) => {
      const wish = readInput(input, { principal, publish: patterns, subscribe: patterns, periodMs: period });
      if (wish.principal === from) throw new GraceError('FORBIDDEN', `${from} cannot grant a permit to itself`);
      const { publish = [], subscribe = [] } = wish;
      if (publish.length + subscribe.length === 0) {
        throw new GraceError('BAD_INPUT', 'input: expected at least one pattern under publish or subscribe');
      }
      const untilMono = clock.monoMs() + wish.periodMs;
      const permit = broker.permit({ principal: wish.principal, publish, subscribe, untilMono }, from);
      await kept();
      return permit;
    },

    revoke: async (input, { from }: VerbMeta) => {
      const { id } = readInput(input, { id: is.string({ max: 64 }) });
      if (!broker.revoke(id, from)) throw new GraceError('NOT_FOUND', `no permit has the id "${id}"`);
      await kept();
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

    ...createDurableVerbs(broker, report),
  };
}
