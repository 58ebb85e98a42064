import type { Environment } from '../environment.ts';
import { leansInVain } from './excuse.ts';
import { type Invariant, Violation } from './invariant.ts';

/** States in which nobody works on a kernel any more: what is open about it stays open until somebody comes. */
const GIVEN_UP = new Set(['failed', 'quarantined', 'stopped']);

/** Every incident is opened once, gets its detectors while it is open, and is closed or escalated in the end. */
export function incidents(env: Environment): Invariant {
  const open = new Map<string, { key: string; kind: string; subject: string; at: number }>();
  const seen = new Set<string>();
  const escalated = new Set<string>();
  const wrong = (what: string): never => {
    throw new Violation('incident_not_coherent', env.now, what);
  };
  return {
    command(command) {
      if (command.do !== 'journal') return;
      const { draft } = command;
      switch (draft.name) {
        case 'incident:open': {
          const { id, kind, subject } = draft.data.incident;
          const key = `${kind} of ${subject}`;
          if (seen.has(id)) wrong(`incident ${id} is opened twice`);
          for (const other of open.values()) if (other.key === key) wrong(`two incidents are open for ${key}`);
          seen.add(id);
          open.set(id, { key, kind, subject, at: env.now });
          return;
        }
        case 'detector:fire':
          if (!open.has(draft.data.incident)) wrong(`a detector fires for ${draft.data.incident}, which is not open`);
          return;
        case 'incident:escalate':
          if (!open.has(draft.data.id)) wrong(`${draft.data.id} is escalated, but not open`);
          escalated.add(draft.data.id);
          return;
        case 'incident:close':
          if (!open.delete(draft.data.id)) wrong(`${draft.data.id} is closed, but not open`);
          return;
        default:
      }
    },
    end() {
      for (const [id, { key, subject, at }] of open) {
        const kernel = env.state.kernels[subject];
        if (escalated.has(id) || (kernel && (GIVEN_UP.has(kernel.state) || leansInVain(env, subject)))) continue;
        throw new Violation(
          'incident_left_open',
          env.now,
          `${id}, ${key}, open since ${Math.round(at)} ms, is neither closed nor escalated (${kernel?.state ?? 'no kernel'})`,
        );
      }
    },
  };
}
