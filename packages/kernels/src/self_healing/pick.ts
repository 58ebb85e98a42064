import type { Incident } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Baselines } from './baselines.ts';
import type { RunJournal } from './journal.ts';
import { observe } from './observe.ts';
import { all } from './playbook/clause.ts';
import { groupsOf } from './playbook/facts.ts';
import type { Playbook } from './playbook/types.ts';
import type { Advice } from './run/advice.ts';
import { type Admission, admit } from './run/guard.ts';
import type { AskPermission, Permission } from './run/permission.ts';

/** Refusals of governance that are remembered, so that it is not asked at each look. */
const MAX_REFUSED = 1000;

/** `permission`: what governance said; absent: the guards do not let it run, and that is to be said. */
export interface Picked {
  playbook: Playbook;
  permission?: Permission;
}

/** Which playbook an incident gets: of those that fit and may run, the one that experience advises, if governance lets it. */
export function createPicker(
  ctx: KernelContext,
  parts: {
    playbooks: readonly Playbook[];
    journal: RunJournal;
    baselines: Baselines;
    ask: AskPermission;
    advice: Advice;
  },
): (incident: Incident) => Promise<Picked | undefined> {
  const { playbooks, journal, baselines, ask, advice } = parts;
  /** By incident and playbook: when governance, which refused, is asked again. */
  const notBefore = new Map<string, number>();

  /** Those whose trigger and conditions fit; none when one has healed this incident before. */
  const fitting = async (incident: Incident): Promise<Playbook[]> => {
    const subject = { target: incident.subject, incident };
    const found: Playbook[] = [];
    for (const playbook of playbooks) {
      if (!playbook.trigger.includes(incident.kind)) continue;
      if (journal.of(incident.id, playbook.id).includes('healed')) return [];
      const facts = await observe(ctx, subject, groupsOf(playbook), baselines);
      if (ctx.signal.aborted) return [];
      const { truth, unmet } = all(playbook.conditions, {
        ...facts,
        before: facts,
        run: { id: '', target: incident.subject },
      });
      if (truth === true) found.push(playbook);
      else ctx.log.debug('a playbook does not fit', { playbook: playbook.id, incident: incident.id, unmet });
    }
    return found;
  };
  const isRefused = (incident: Incident, playbook: Playbook): boolean =>
    journal.of(incident.id, playbook.id).includes('refused');
  const keyOf = (incident: Incident, playbook: Playbook): string => `${incident.id} ${playbook.id}`;

  return async (incident) => {
    const target = incident.subject;
    const mayRun = (playbook: Playbook): Admission =>
      admit(playbook.id, playbook.guards, target, journal.past(target), ctx.clock.monoMs());
    const found = (await fitting(incident)).map((playbook) => ({ playbook, admission: mayRun(playbook) }));
    // What only has to wait is looked at again next time; nobody is asked about it meanwhile.
    const ready = found.filter(
      ({ playbook, admission }) =>
        admission.admitted && ctx.clock.monoMs() >= (notBefore.get(keyOf(incident, playbook)) ?? 0),
    );
    const advised = await advice.order(
      incident,
      ready.map(({ playbook }) => playbook),
    );
    for (const playbook of advised) {
      if (ctx.signal.aborted) return undefined;
      // The advice took its time, and another incident of this target may have been quicker.
      if (!mayRun(playbook).admitted) continue;
      const permission = await ask(playbook, { target, incident });
      if (ctx.signal.aborted) return undefined;
      if (permission.granted || !isRefused(incident, playbook)) return { playbook, permission };
      if (notBefore.size >= MAX_REFUSED) notBefore.clear();
      notBefore.set(keyOf(incident, playbook), ctx.clock.monoMs() + permission.askAgainMs);
    }
    // A refusal by its guards is said once per incident.
    const unsaid = found.find(
      ({ playbook, admission }) => !admission.admitted && !admission.passes && !isRefused(incident, playbook),
    );
    return unsaid && { playbook: unsaid.playbook };
  };
}
