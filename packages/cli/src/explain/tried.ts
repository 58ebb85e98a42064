import type { AnyRecord, CpuMethod } from '@grace/contracts';
import { showMs, showShare } from '../output/figures.ts';
import { EVIDENCE_WORDS } from './evidence-files.ts';
import { memoryWords } from './evidence-words.ts';
import type { Scene } from './scene.ts';
import type { Sentence } from './story.ts';

/** What was done, in order: by the supervisor, by a playbook, by hand, and by a drill. */
export function triedOf(scene: Scene): Sentence[] {
  return scene.mine.flatMap((record) => {
    const text = deedOf(record);
    return text === undefined ? [] : [{ atMs: scene.at(record), text, events: [record.seq] }];
  });
}

const HELD_BY: Record<CpuMethod, string> = {
  cgroup2: 'by a control group',
  cgroup1: 'by a control group',
  inspector: 'by pausing and resuming its thread',
  none: 'in name only: nothing enforces it here',
};

const WHY_LIMIT = { manifest: 'as its manifest says', hand: 'by order', overload: 'for overload' } as const;

const WHY_MOVE = {
  solitary: 'alone, so that it takes nobody down again',
  isolate: 'alone, by order',
  return: 'back, after a stable time alone',
} as const;

/** Undefined for records that are no deed. */
function deedOf(record: AnyRecord): string | undefined {
  const who = record.kernel ?? record.cell ?? 'the system';
  switch (record.name) {
    case 'kernel:probe': {
      const { ok, ms, error, why } = record.data;
      return ok
        ? `${who} was asked to do its job once, and did, in ${showMs(ms)} (asked because ${why})`
        : `${who} was asked to do its job once, and did not, in ${showMs(ms)}: ${error?.message ?? why}`;
    }
    case 'kernel:evidence':
      return `kept for looking at: ${EVIDENCE_WORDS[record.data.kind]} of ${who}, ${record.data.file}`;
    case 'kernel:limit': {
      const { cpu, method, why, by } = record.data;
      if (cpu === null) return `the CPU limit of ${who} was lifted`;
      return `${who} was held to ${showShare(cpu)} of a core ${HELD_BY[method]}, ${WHY_LIMIT[why]} (${by})`;
    }
    case 'kernel:pressure':
      return record.data.ratio >= 1
        ? `${who} is at its memory limit: ${memoryWords(record.data)}`
        : `${who} was asked to give memory back: ${memoryWords(record.data)}`;
    case 'kernel:hand':
      return `${record.data.by} ordered: ${record.data.order} ${who} (${record.data.reason})`;
    case 'kernel:state':
      return stateDeed(who, record.data);
    case 'kernel:exit': {
      const { code, error, expected } = record.data;
      const how = error ? `${error.code}: ${error.message}` : `exit code ${code}`;
      return expected ? `the thread of ${who} is ended` : `the thread of ${who} ended by itself: ${how}`;
    }
    case 'kernel:stuck':
      return `${record.data.rung}: the thread of ${who} cannot be ended alone${nextRung(record.data.evidence)}`;
    case 'kernel:restart': {
      const { cause, attempt, delayMs, by } = record.data;
      const when = delayMs === 0 ? 'at once' : `after ${showMs(delayMs)} of back-off`;
      return `restart of ${who} ${when} (cause ${cause}, ${attempt === 0 ? 'free of its budget' : `attempt ${attempt}`}, by ${by})`;
    }
    case 'kernel:move': {
      const { from, to, why } = record.data;
      return `${who} moves from cell ${from} to ${to}: ${WHY_MOVE[why]}`;
    }
    case 'kernel:ready':
      return `${who} is ready: incarnation ${record.incarnation ?? '?'}, its functional probe answered ${showMs(record.data.readyMs)} after the order to start`;
    case 'kernel:quarantine':
      return record.data.cause === 'quarantine'
        ? `${who} stays down until somebody resumes it`
        : `${who} was given up: ${record.data.restarts} restarts in ${showMs(record.data.windowMs)} are used up (last cause ${record.data.cause})`;
    case 'cell:exit': {
      const { pid, code, signal, expected, kernels } = record.data;
      const how = signal ?? `exit code ${code}`;
      const with_ = kernels.length === 0 ? '' : `, and with it ${kernels.join(', ')}`;
      return `the host process of cell ${record.cell} (pid ${pid}) ended ${expected ? 'by order' : 'unasked'} with ${how}${with_}`;
    }
    case 'cell:online':
      return `cell ${record.cell} is there: pid ${record.data.pid}, after ${showMs(record.data.ms)}`;
    case 'incident:escalate':
      return `handed to people: ${record.data.reason}`;
    case 'playbook:start':
      return `playbook ${record.data.playbook} began${record.data.dryRun ? ' (dry run)' : ''}`;
    case 'playbook:step':
      return `playbook step ${record.data.step}: ${record.data.ok ? 'done' : 'failed'} in ${showMs(record.data.ms)}: ${record.data.detail}`;
    case 'playbook:end':
      return `playbook ${record.data.playbook} ended: ${record.data.outcome}: ${record.data.detail}`;
    case 'bus:muted':
      return `${record.data.principal} was muted for ${showMs(record.data.periodMs)} after ${record.data.denied} denied messages`;
    case 'bus:unmuted':
      return `${record.data.principal} may publish again`;
    case 'fault:inject':
      return `a drill injected ${record.data.kind} into ${record.data.target} on purpose`;
    case 'fault:effect':
      return record.data.proven
        ? 'the fault of the drill acts: its own probe has proven it'
        : 'the fault of the drill did not act';
    case 'fault:undo':
      return `the fault of the drill was undone (${record.data.why}${record.data.verified ? ', verified' : ', not verified'})`;
    case 'system:adopt':
      return `the supervisor was lost; a new one took over ${record.data.kernels.length} kernels after ${showMs(record.data.awayMs)}${lostNews(record.data.dropped)}`;
    default:
      return undefined;
  }
}

/** Only the moves that are an order or an outcome; those on the way up are told by `kernel:ready`. */
function stateDeed(
  who: string,
  { from, to, reason }: { from: string; to: string; reason: string },
): string | undefined {
  if (to === 'draining') return `${who} was asked to finish what it holds and go down: ${reason}`;
  if (to === 'stopping')
    return from === 'draining'
      ? `the thread of ${who} was told to end (${reason})`
      : `the thread of ${who} was told to end: ${reason}`;
  if (to === 'failed' || to === 'stopped' || to === 'quarantined') return `${who} is ${to}: ${reason}`;
  return undefined;
}

function lostNews(dropped: number): string {
  return dropped > 0 ? `; ${dropped} things that happened meanwhile are not in the journal` : '';
}

function nextRung(evidence: Record<string, unknown>): string {
  const { next } = evidence;
  return typeof next === 'string' ? `; next: ${next}` : '';
}
