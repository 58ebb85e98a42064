import { GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { DeedResult } from '../fired/record.ts';
import type { Lineage } from '../gates/lineage.ts';
import { isSubject } from '../match/pattern.ts';
import { type Deed, nameDeed } from './deed.ts';
import { type Intention, messageId } from './intention.ts';
import { askPermission } from './permission.ts';

export interface Performer {
  /** The actions of a firing one after the other; the first that fails ends it. Never throws. */
  perform(intention: Intention): Promise<DeedResult[]>;
}

export function createPerformer(ctx: KernelContext, lineage: Lineage): Performer {
  const act = async (intention: Intention, deed: Deed, number: number): Promise<void> => {
    const { rule, event, correlation, deadlineMs, isRepeat } = intention;
    if (deed.kind === 'log') {
      ctx.log.info(deed.text, { rule, event: event.id });
      return;
    }
    const id = messageId(intention, number);
    const options = { id, correlation, causation: event.id, deadlineMs };
    if (deed.kind === 'publish') {
      if (!isSubject(deed.subject)) {
        throw new GraceError('BUS_BAD_SUBJECT', `"${deed.subject.slice(0, 80)}" is no subject; the template gave it`);
      }
      // Carried out again, it has the id of before: a broker that had accepted it does not deliver it twice.
      await ctx.bus.publish(deed.subject, deed.payload, options);
      return;
    }
    await askPermission(ctx, rule, `${deed.kernel}.${deed.verb}`, correlation);
    // A broker answers no request whose id it has seen, so a repeated one has an id of its own; what it asks for carries the same key.
    if (isRepeat) {
      options.id = `${id}~${ctx.incarnation}.${Math.floor(ctx.clock.wallMs()).toString(36)}`;
      lineage.remember(options.id, event.depth + 1);
    }
    await ctx.bus.request(`kernel.${deed.kernel}.call.${deed.verb}`, deed.input ?? {}, options);
  };

  return {
    async perform(intention) {
      const results: DeedResult[] = [];
      for (const [i, deed] of intention.deeds.entries()) {
        const startMono = ctx.clock.monoMs();
        const done = (): number => Math.round(ctx.clock.monoMs() - startMono);
        try {
          await act(intention, deed, i);
          results.push({ deed: nameDeed(deed), ok: true, ms: done() });
        } catch (error) {
          const { code, message } = toWireError(error);
          results.push({ deed: nameDeed(deed), ok: false, ms: done(), error: `${code}: ${message}`.slice(0, 300) });
          break;
        }
      }
      return results;
    },
  };
}
