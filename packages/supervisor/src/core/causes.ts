/**
 * Why a kernel goes down. Its own doing counts against its restart budget; a lost cell and an order by hand do not.
 * `ended`: the thread ended by itself with code 0, where the class `transient` stays down.
 */
export type DownCause =
  | 'crash'
  | 'ended'
  | 'hung'
  | 'probe'
  | 'memory'
  | 'start'
  | 'incurable'
  | 'needs'
  | 'cell'
  | 'manual'
  | 'playbook'
  | 'isolate'
  | 'pause'
  | 'quarantine';

export const FREE_OF_CHARGE: ReadonlySet<DownCause> = new Set<DownCause>([
  'cell',
  'manual',
  'isolate',
  'pause',
  'quarantine',
]);

/**
 * Causes that share a restart budget. A kernel that leaks once an hour and hangs once an hour is no restart storm, so each kind is counted
 * apart.
 */
export function familyOf(cause: DownCause): 'failure' | 'hang' | 'memory' | 'playbook' {
  if (cause === 'hung' || cause === 'probe') return 'hang';
  if (cause === 'memory' || cause === 'playbook') return cause;
  return 'failure';
}

/** Errors that no restart soon can cure. */
export const INCURABLE: ReadonlySet<string> = new Set(['KERNEL_MISSING', 'KERNEL_INVALID']);
