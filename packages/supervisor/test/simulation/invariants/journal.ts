import { type KernelState, mayMove } from '@grace/contracts';
import type { Environment } from '../environment.ts';
import { type Invariant, Violation } from './invariant.ts';

/** The journal tells one story: states follow each other as the table allows, incarnations never go back, records name what they speak of. */
export function journal(env: Environment): Invariant {
  const states = new Map<string, KernelState>();
  const lives = new Map<string, number>();
  let ready = false;
  return {
    command(command) {
      if (command.do !== 'journal') return;
      const { draft } = command;
      if (draft.kernel !== undefined && draft.incarnation !== undefined) {
        const before = lives.get(draft.kernel) ?? 0;
        if (draft.incarnation < before)
          throw new Violation(
            'journal_not_coherent',
            env.now,
            `${draft.name} of ${draft.kernel} speaks of incarnation ${draft.incarnation} after ${before}`,
          );
        // A restart is announced under the number that comes.
        if (draft.name !== 'kernel:restart') lives.set(draft.kernel, draft.incarnation);
      }
      if (draft.name === 'system:ready') {
        if (ready) throw new Violation('journal_not_coherent', env.now, 'the boot is over twice');
        ready = true;
      } else if (draft.name === 'kernel:ready' && states.get(draft.kernel!) !== 'running')
        throw new Violation('journal_not_coherent', env.now, `${draft.kernel} is ready but not running`);
      if (draft.name !== 'kernel:state') return;
      const { from, to } = draft.data;
      const known = states.get(draft.kernel!) ?? 'waiting';
      if (from !== known)
        throw new Violation('journal_not_coherent', env.now, `${draft.kernel} moves from ${from} but was ${known}`);
      if (!mayMove(from, to))
        throw new Violation(
          'transition_not_in_table',
          env.now,
          `${draft.kernel} moves from ${from} to ${to}: ${draft.data.reason}`,
        );
      states.set(draft.kernel!, to);
    },
  };
}
