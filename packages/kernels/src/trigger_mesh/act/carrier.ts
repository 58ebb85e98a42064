import type { KernelContext } from '@grace/kernel-sdk';
import type { FiringJournal } from '../fired/journal.ts';
import type { DeedResult } from '../fired/record.ts';
import type { Firing } from '../gates/gate.ts';
import type { Lineage } from '../gates/lineage.ts';
import type { Rule } from '../rules/rule.ts';
import { fillActions } from './deed.ts';
import { type Intention, messageId } from './intention.ts';
import type { Performer } from './perform.ts';
import type { Queue } from './queue.ts';

/** Carries firings out: on record first, then action by action, then on record how it ended. */
export interface Carrier {
  /**
   * False: too much waits already.
   * @throws GraceError `TOO_LARGE` for what the templates make of the event
   */
  take(rule: Rule, firing: Firing): boolean;
  /** Takes up what a process before this one had on record and not ended. */
  resume(intention: Intention): void;
}

/** @param onEnd what became of a firing; an empty list: it could not be put on record, so nothing was done */
export function createCarrier(
  ctx: KernelContext,
  parts: { lineage: Lineage; performer: Performer; queue: Queue; journal: FiringJournal },
  onEnd: (intention: Intention, deeds: DeedResult[]) => void,
): Carrier {
  const { lineage, performer, queue, journal } = parts;
  let probed = 0;

  /**
   * What came with a correlation from outside keeps it. Else the firing begins one, and each further firing makes a branch of it, so that
   * also a message that carries on nothing but its correlation tells how deep it stands; all branches begin with the same name.
   */
  const correlate = (given: string | null, firing: string, seq: number): { correlation: string; isOwn: boolean } => {
    if (given === null) return { correlation: firing, isOwn: true };
    if (!lineage.knows(given)) return { correlation: given, isOwn: false };
    return { correlation: `${given.split('+')[0]}+${seq === 0 ? `p${probed}` : seq}`, isOwn: true };
  };

  const remember = ({ firing, deeds, correlation, isOwn, event }: Intention): void => {
    for (const i of deeds.keys()) lineage.remember(messageId({ firing }, i), event.depth + 1);
    if (isOwn) lineage.remember(correlation, event.depth + 1);
  };

  const carryOut = async (intention: Intention, onRecord: Promise<void>): Promise<void> => {
    try {
      await onRecord;
    } catch {
      onEnd(intention, []);
      return;
    }
    onEnd(intention, await performer.perform(intention));
  };

  return {
    take(rule, firing) {
      if (queue.isFull) return false;
      const seq = rule.source === 'probe' ? 0 : journal.nextSeq();
      const name = seq === 0 ? `${ctx.id}-probe-${ctx.incarnation}-${++probed}` : `${ctx.id}-${journal.epoch}-${seq}`;
      const { id, subject, from, depth } = firing.event;
      const intention: Intention = {
        seq,
        firing: name,
        rule: rule.id,
        deeds: fillActions(rule, firing, name),
        deadlineMs: rule.deadlineMs,
        ...correlate(firing.event.correlation, name, seq),
        event: { id, subject, from, depth },
        key: firing.key,
        count: firing.count,
        isRepeat: false,
      };
      remember(intention);
      const { bytes, onRecord } = journal.intend(intention);
      queue.push(() => carryOut(intention, onRecord), bytes);
      return true;
    },
    resume(intention) {
      remember(intention);
      queue.push(() => carryOut(intention, Promise.resolve()), 0);
    },
  };
}
