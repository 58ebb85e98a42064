import type { Incident } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Playbook } from '../playbook/types.ts';
import type { RunEnd } from './drive.ts';

const CHOOSE_DEADLINE_MS = 500;
const TELL_DEADLINE_MS = 2000;
/** Outcomes that may be on their way at one moment; of more, learning_integration reads in the journal. */
const TELLING_MAX = 16;

/** What experience says; it is asked for and told, and never needed. */
export interface Advice {
  /** The playbooks in the order to try them: the advised one first. As they are, when there is one, or nobody who knows. */
  order(incident: Incident, playbooks: readonly Playbook[]): Promise<readonly Playbook[]>;
  /** How a run against an incident ended. */
  tell(run: { run: string; playbook: string; incident: Incident }, end: RunEnd): void;
}

/** Asks and tells the kernel learning_integration. An incident is known by its kind. */
export function learnedAdvice(ctx: KernelContext): Advice {
  let telling = 0;
  return {
    async order({ id, kind, correlation }, playbooks) {
      if (playbooks.length < 2) return playbooks;
      const question = { signature: kind, candidates: playbooks.map((one) => one.id), incident: id };
      const options = { deadlineMs: CHOOSE_DEADLINE_MS, ...(correlation === undefined ? {} : { correlation }) };
      try {
        const { playbook, why } = (await ctx.call('learning_integration', 'choose', question, options)) as Chosen;
        const first = playbooks.find((one) => one.id === playbook);
        if (!first) return playbooks;
        ctx.log.info('a playbook was chosen', { incident: id, playbook, why });
        return [first, ...playbooks.filter((one) => one !== first)];
      } catch (error) {
        ctx.log.debug('nobody advises; the playbooks are tried in the order of their ids', {
          incident: id,
          error: (error as Error).message,
        });
        return playbooks;
      }
    },
    tell({ run, playbook, incident }, { outcome, detail, ms }) {
      // Cut off, or nothing done: no outcome.
      if (outcome === 'dry run' || detail.startsWith('interrupted:') || telling >= TELLING_MAX) return;
      const told = {
        ...{ signature: incident.kind, playbook, incident: incident.id, key: run },
        ...{ outcome: outcome.replace(' ', '_'), tookMs: ms },
      };
      telling++;
      ctx
        .call('learning_integration', 'record', told, { deadlineMs: TELL_DEADLINE_MS })
        .catch((error: Error) => ctx.log.debug('an outcome was not told', { run, error: error.message }))
        .finally(() => {
          telling--;
        });
    },
  };
}

interface Chosen {
  playbook: string;
  why: string;
}
