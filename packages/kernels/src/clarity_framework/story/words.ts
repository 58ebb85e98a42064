import type { AnyRecord } from '@grace/contracts';
import type { Happening } from '../happenings/happening.ts';
import type { Chapter } from './story.ts';

export interface Told {
  chapter: Chapter;
  text: string;
  /** Of a decision: the reason on record. Null: there is none. */
  why?: string | null;
}

/** What a record says in a story, and in which chapter. Undefined: nothing, it is on the way between others that do. */
export function tell({ about, record }: Happening): Told | undefined {
  return told(record, record.kernel ?? about ?? record.cell ?? 'the system');
}

function told(record: AnyRecord, who: string): Told | undefined {
  const first = (text: string): Told => ({ chapter: 'first', text });
  const noticed = (text: string): Told => ({ chapter: 'noticed', text });
  const decided = (text: string, why: string | null): Told => ({ chapter: 'decided', text, why });
  const done = (text: string): Told => ({ chapter: 'done', text });
  const ended = (text: string): Told => ({ chapter: 'ended', text });

  switch (record.name) {
    case 'fault:inject':
      return first(`a drill injected ${record.data.kind} into ${record.data.target} on purpose`);
    case 'fault:effect':
      return first(record.data.proven ? 'the fault of the drill was proven to act' : 'the fault did not act');
    case 'fault:undo':
      return ended(`the fault of the drill was undone (${record.data.why})`);
    case 'kernel:exit': {
      const { expected, error, code } = record.data;
      if (expected) return done(`the thread of ${who} was ended`);
      return first(
        `the thread of ${who} ended by itself: ${error ? `${error.code}: ${error.message}` : `exit code ${code}`}`,
      );
    }
    case 'cell:exit': {
      const { expected, pid, signal, code, kernels } = record.data;
      const how = `${signal ?? `exit code ${code}`}${kernels.length > 0 ? `, and with it ${kernels.join(', ')}` : ''}`;
      const text = `the process of cell ${record.cell} (pid ${pid}) ended ${expected ? 'by order' : 'unasked'}: ${how}`;
      return expected ? done(text) : first(text);
    }
    case 'cell:online':
      return done(`cell ${record.cell} is there again: pid ${record.data.pid}`);
    case 'kernel:condition':
      return record.data.to === 'healthy'
        ? ended(`${who} was judged healthy again`)
        : first(`${who} was judged ${record.data.to}: ${brief(record.data.evidence)}`);
    case 'kernel:pressure':
      return first(`${who} uses ${Math.round(record.data.ratio * 100)} % of a memory limit`);
    case 'bus:denied':
      return first(
        `${record.data.principal} was denied ${record.data.count} messages, the last on ${record.data.subject}`,
      );
    case 'bus:backlog':
      return record.data.over
        ? first(`${record.data.waiting} messages wait for ${record.data.consumer}`)
        : ended(`the queue of ${record.data.consumer} is short again`);
    case 'record:damaged':
      return first(`${record.data.ledger} is damaged: ${record.data.problems[0]?.message ?? 'no detail'}`);
    case 'record:repaired':
      return done(`${record.data.ledger} was repaired by ${record.data.by}: ${record.data.action}`);
    case 'detector:fire':
      return noticed(`${record.data.method} noticed it of ${record.data.subject}: ${brief(record.data.evidence)}`);
    case 'kernel:probe':
      return noticed(
        record.data.ok
          ? `${who} was asked to do its job once (${record.data.why}), and did`
          : `${who} was asked to do its job once (${record.data.why}), and did not: ${record.data.error?.message ?? ''}`,
      );
    case 'kernel:restart': {
      const { attempt, by, cause, delayMs } = record.data;
      return decided(`${by} decided to restart ${who} (attempt ${attempt}, after ${delayMs} ms)`, `cause ${cause}`);
    }
    case 'kernel:quarantine':
      return decided(
        `${who} is not restarted any more`,
        `${record.data.restarts} restarts in ${record.data.windowMs} ms, the last for ${record.data.cause}`,
      );
    case 'kernel:hand':
      return decided(`${record.data.by} ordered: ${record.data.order} ${who}`, record.data.reason || null);
    case 'kernel:limit':
      return record.data.cpu === null
        ? ended(`the CPU limit of ${who} was lifted`)
        : decided(`${who} is held to ${record.data.cpu * 100} % of a core (${record.data.by})`, record.data.why);
    case 'kernel:tune':
      return decided(
        `${record.data.by} set ${record.data.knob} of ${who} from ${record.data.from} to ${record.data.to}`,
        record.data.reason || null,
      );
    case 'kernel:move':
      return decided(`${who} moves from cell ${record.data.from} to ${record.data.to}`, record.data.why);
    case 'bus:muted':
      return decided(
        `${record.data.by ?? 'the broker'} muted ${record.data.principal} for ${record.data.periodMs} ms`,
        `${record.data.denied} denied messages`,
      );
    case 'bus:unmuted':
      return ended(`${record.data.principal} may publish again`);
    case 'playbook:start':
      return decided(
        `playbook ${record.data.playbook} was chosen for ${record.data.target}${record.data.dryRun ? ' (dry run)' : ''}`,
        null,
      );
    case 'playbook:step': {
      const { step, ok, ms, detail } = record.data;
      return done(`step ${step} of the playbook ${ok ? 'was done' : 'failed'} in ${Math.round(ms)} ms: ${detail}`);
    }
    case 'playbook:end':
      return ended(`playbook ${record.data.playbook} ended: ${record.data.outcome}: ${record.data.detail}`);
    case 'kernel:state': {
      const { to, reason } = record.data;
      const isDeed = ['draining', 'stopping', 'stopped', 'failed', 'quarantined'].includes(to);
      return isDeed ? done(`${who} is ${to}: ${reason}`) : undefined;
    }
    case 'kernel:stuck':
      return done(`the thread of ${who} could not be ended alone (${record.data.rung})`);
    case 'kernel:evidence':
      return done(`kept for looking at: ${record.data.file}`);
    case 'system:adopt':
      return done('a new supervisor took over');
    case 'kernel:ready':
      return ended(
        `${who} does its job again: incarnation ${record.incarnation ?? '?'}, ready after ${Math.round(record.data.readyMs)} ms`,
      );
    case 'incident:escalate':
      return ended(`it was handed to people: ${record.data.reason}`);
    case 'incident:close':
      return ended(`the incident was closed: ${record.data.outcome}`);
    default:
      return undefined;
  }
}

function brief(evidence: Record<string, unknown>): string {
  const text = JSON.stringify(evidence);
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}
