import type { Standing } from './standing.ts';

/** What the service manager has been told so far. Times are monotonic ms. */
export interface Told {
  ready: boolean;
  stopping: boolean;
  status: string;
  statusMono: number;
  watchdogMono: number;
  extendMono: number;
}

export const NOTHING_TOLD: Told = {
  ready: false,
  stopping: false,
  status: '',
  statusMono: -Infinity,
  watchdogMono: -Infinity,
  extendMono: -Infinity,
};

/** A status that changes on its own is told at most this often: each message costs a process, ms. */
const STATUS_EVERY_MS = 1000;
/** Boot and drain have deadlines of their own here; while they run, the manager's are moved on this often, by this much, ms. */
const EXTEND_EVERY_MS = 3000;
const EXTEND_MS = 10_000;
/** So many kernels that are down are named in the status. */
const NAMED = 3;

/**
 * What is to be said at this moment, as assignments of sd_notify(3), and what has been told after it. Pure.
 * `watchdogMs`: the manager's watchdog (WatchdogSec=), null where it has none; it is fed twice in that time, as sd_watchdog_enabled(3)
 * advises. `beat`: the supervisor's pulse speaks, and only that feeds the watchdog.
 */
export function saying(
  told: Told,
  standing: Standing,
  { now, watchdogMs, beat }: { now: number; watchdogMs: number | null; beat: boolean },
): { assignments: Record<string, string>; told: Told } {
  const assignments: Record<string, string> = {};
  const after = { ...told };
  const { phase } = standing;
  if (phase === 'running' && !told.ready) {
    assignments['READY'] = '1';
    after.ready = true;
  }
  if ((phase === 'stopping' || phase === 'stopped') && !told.stopping) {
    assignments['STOPPING'] = '1';
    after.stopping = true;
  }
  const status = statusText(standing);
  const turn = 'READY' in assignments || 'STOPPING' in assignments;
  if (status !== told.status && (turn || now - told.statusMono >= STATUS_EVERY_MS)) {
    assignments['STATUS'] = status;
    after.status = status;
    after.statusMono = now;
  }
  if (!beat) return { assignments, told: after };
  if (watchdogMs !== null && now - told.watchdogMono >= watchdogMs / 2) {
    assignments['WATCHDOG'] = '1';
    after.watchdogMono = now;
  }
  const busy = phase === 'booting' || phase === 'stopping';
  if (busy && now - told.extendMono >= EXTEND_EVERY_MS) {
    assignments['EXTEND_TIMEOUT_USEC'] = String(EXTEND_MS * 1000);
    after.extendMono = now;
  }
  return { assignments, told: after };
}

/** One line: `19 of 20 kernels ready; librarian is backoff` */
function statusText({ phase, ready, total, down }: Standing): string {
  if (phase === 'stopping' || phase === 'stopped') return `stopping, ${ready} of ${total} kernels still up`;
  const count = `${ready} of ${total} kernels ready`;
  if (phase === 'booting') return `booting, ${count}`;
  if (down.length === 0) return count;
  const more = down.length > NAMED ? ` and ${down.length - NAMED} more` : '';
  return `${count}; ${down.slice(0, NAMED).join(', ')}${more}`;
}
